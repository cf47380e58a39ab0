"""A message, and what its headers say of the attempts at it."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pika

from etl.model import Outcome, Result

_OWN = "x-etl-"
ATTEMPTS = f"{_OWN}attempts"
OUTCOME = f"{_OWN}outcome"
SQLSTATE = f"{_OWN}sqlstate"
REASON = f"{_OWN}message"
FAILED_AT = f"{_OWN}failed-at"
_BROKERS = ("x-death", "x-first-death", "x-last-death", "x-delivery-count")
_PERSISTENT = 2
# All properties have to fit into one frame, by default of 131,072 bytes: else the broker ends the
# connection, each time that the message is published again.
_LARGEST_HEADERS = 120_000


@dataclass(slots=True, eq=False)
class Message:
    """One that the broker has delivered, until it is acknowledged.

    Attributes:
        position: Counted by the service, from 1; its name between service and worker.
        link: The broker's connection that it came by: its tag means nothing on another one.
        tag: The broker's number of the delivery.
        body: As it came.
        taken_at: When it came, of ``time.monotonic()``.
        key: See ``key_of``.
        attempts: How often it has failed.
    """

    position: int
    link: int
    tag: int
    properties: pika.BasicProperties
    body: bytes
    taken_at: float = field(default_factory=time.monotonic)
    key: str = field(init=False)
    attempts: int = field(init=False)

    def __post_init__(self) -> None:
        self.key = key_of(self.properties, self.body)
        self.attempts = attempts_of(self.properties)


NO_TEXT = Result(Outcome.FAILED, 0.0, "22021", "the message holds a NUL byte, which is no text")
"""Of a message that PostgreSQL would take for shorter than it is."""


def key_of(properties: pika.BasicProperties, body: bytes) -> str:
    """The message id; of a message without one, the SHA-256 of its body.

    The same body is then the same message, whoever sends it how often. What of an id is no UTF-8,
    which pika leaves as bytes, is written with backslashes.
    """
    told: str | bytes | None = properties.message_id
    if isinstance(told, bytes):
        return told.decode(errors="backslashreplace")
    return told or f"sha256:{hashlib.sha256(body).hexdigest()}"


def attempts_of(properties: pika.BasicProperties) -> int:
    """How often a message has failed, as its headers say."""
    return _count(properties, ATTEMPTS)


def deliveries_of(properties: pika.BasicProperties) -> int:
    """How often it was delivered before; the broker counts that in quorum queues only."""
    return _count(properties, "x-delivery-count")


def _count(properties: pika.BasicProperties, header: str) -> int:
    told = headers(properties).get(header, 0)
    return told if isinstance(told, int) and told > 0 else 0


def headers(properties: pika.BasicProperties) -> Mapping[str, Any]:
    """The headers of a message."""
    return properties.headers or {}


def failed(message: Message, attempts: int, result: Result) -> pika.BasicProperties:
    """The properties of a message that is published again after a failure."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _again(
        message.properties,
        message.key,
        {
            ATTEMPTS: attempts,
            OUTCOME: result.outcome.value,
            SQLSTATE: result.sqlstate,
            REASON: result.message,
            FAILED_AT: at,
        },
    )


def released(properties: pika.BasicProperties, key: str) -> pika.BasicProperties:
    """The properties of a dead letter that is published once more, as if it had never failed."""
    return _again(properties, key, {})


def renewed(message: Message) -> pika.BasicProperties:
    """The properties of a message that is published again as it is, delivered to nobody yet."""
    told = headers(message.properties)
    kept = {name: value for name, value in told.items() if str(name).startswith(_OWN)}
    return _again(message.properties, message.key, kept)


def fresh(key: str) -> pika.BasicProperties:
    """The properties of a new message."""
    return pika.BasicProperties(
        message_id=key, content_type="application/json", delivery_mode=_PERSISTENT
    )


def _again(
    before: pika.BasicProperties, key: str, own: Mapping[str, str | int]
) -> pika.BasicProperties:
    kept = {
        name: value
        for name, value in headers(before).items()
        if not str(name).startswith((_OWN, *_BROKERS))
    }
    again = pika.BasicProperties(
        message_id=key,
        content_type=before.content_type,
        content_encoding=before.content_encoding,
        timestamp=before.timestamp,
        type=before.type,
        app_id=before.app_id,
        correlation_id=before.correlation_id,
        priority=before.priority,
        delivery_mode=_PERSISTENT,
        headers={**kept, **own},
    )
    if sum(map(len, again.encode())) > _LARGEST_HEADERS:
        again.headers = dict(own)
    return again
