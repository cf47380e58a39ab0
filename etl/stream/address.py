"""Where the message broker is: a URL, which may hold a password and so is never shown.

Source: RabbitMQ, "URI Specification" and "URI Query Parameters".
"""

import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from etl.errors import FileError, UsageError
from etl.trust import LARGEST_FILE

if TYPE_CHECKING:
    from pika import ConnectionParameters

_PORTS = {"amqp": 5672, "amqps": 5671}
_LEAST_S = {"heartbeat": 0, "connection_timeout": 1}
_OPTIONS = ("cacertfile", "certfile", "keyfile", "verify", "server_name_indication", *_LEAST_S)
_MOST_S = 65_535  # what the protocol has room for
_VERIFIES = ("verify_peer", "verify_none")
_HINT = "Write it as amqp://user:password@host:5672/vhost; in a password write @ as %40, / as %2F."
# A peer that vanishes is noticed after two heartbeats; a broker that takes nothing, as with a
# full disk, is given up after the other.
_HEARTBEAT_S, _CONNECT_S, _BLOCKED_S = 20, 10, 60


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to connect to.

    Attributes:
        label: How it is called in messages: host, port and virtual host, no secrets.
        has_password: Whether the URL holds one.
    """

    label: str
    has_password: bool
    _parts: SplitResult = field(repr=False)
    _options: dict[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "Broker":
        """Read a URL.

        Raises:
            UsageError: It is none. The text is not repeated: it may hold a password.
        """
        try:
            url.encode()  # bytes of the environment that are no UTF-8 cannot be sent
            parts = urlsplit(url.strip())
            (parts.hostname or "").encode("idna")  # as the resolver does
            port = parts.port
            options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError:
            raise UsageError("the broker's URL cannot be read", _HINT) from None
        # Such as a second line: the reader of URLs would make one of both.
        is_odd = port == 0 or any(each.isspace() for each in url.strip())
        # What follows an unescaped / or # of a password would be taken for something else.
        is_spilled = "@" in parts.path or bool(parts.fragment)
        if parts.scheme not in _PORTS or not parts.hostname or is_spilled or is_odd:
            raise UsageError("the broker's URL cannot be read", _HINT)
        if not options.keys() <= set(_OPTIONS):
            raise UsageError(
                "the broker's URL has an option that is unknown",
                f"Known are: {', '.join(_OPTIONS)}.",
            )
        for name, least in _LEAST_S.items():
            given = options.get(name, str(least))
            is_number = given.isdecimal() and given.isascii()
            if not (is_number and least <= int(given[:9]) <= _MOST_S):
                raise UsageError(
                    f"{name} in the broker's URL is no number of seconds",
                    f"Give one from {least} to {_MOST_S:,}.",
                )
        if options.get("verify", _VERIFIES[0]) not in _VERIFIES:
            raise UsageError(
                "verify in the broker's URL is unknown", f"Known are: {', '.join(_VERIFIES)}."
            )
        vhost = unquote(parts.path[1:]) or "/"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        label = f"{host} port {port or _PORTS[parts.scheme]}"
        label += "" if vhost == "/" else f", virtual host {vhost}"
        return cls(label, parts.password is not None, parts, options)

    def parameters(self, name: str) -> "ConnectionParameters":
        """How to connect, for the client library.

        Args:
            name: What an administrator reads in the broker's list of connections.

        Raises:
            UsageError: A certificate cannot be used.
        """
        import pika

        parts, options = self._parts, self._options
        tls = None
        if parts.scheme == "amqps":
            server = options.get("server_name_indication", parts.hostname)
            tls = pika.SSLOptions(self._tls(), server)
        return pika.ConnectionParameters(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            virtual_host=unquote(parts.path[1:]) or "/",
            credentials=pika.PlainCredentials(
                unquote(parts.username or "guest"), unquote(parts.password or "guest")
            ),
            heartbeat=int(options.get("heartbeat", _HEARTBEAT_S)),
            blocked_connection_timeout=_BLOCKED_S,
            socket_timeout=int(options.get("connection_timeout", _CONNECT_S)),
            stack_timeout=int(options.get("connection_timeout", _CONNECT_S)) + 5,
            ssl_options=tls,
            client_properties={"connection_name": name},
        )

    def _tls(self) -> ssl.SSLContext:
        options = self._options
        try:
            context = ssl.create_default_context(cafile=options.get("cacertfile"))
            if "certfile" in options:
                context.load_cert_chain(options["certfile"], options.get("keyfile"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"a certificate of the broker's URL cannot be used: {reason}",
                "Check cacertfile, certfile and keyfile.",
            ) from error
        if options.get("verify") == _VERIFIES[1]:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def named_broker(flag: str | None, environ: Mapping[str, str]) -> Broker:
    """The broker that the user named: ``--amqp``, ``ETL_AMQP_URL``, or ``ETL_AMQP_URL_FILE``.

    Raises:
        UsageError: Nobody named one, or not in a way that can be read.
        FileError: The file cannot be read, or others can.
    """
    url = flag or environ.get("ETL_AMQP_URL")
    if not url and environ.get("ETL_AMQP_URL_FILE"):
        url = _from_file(Path(environ["ETL_AMQP_URL_FILE"]))
    if not url:
        raise UsageError(
            "no message broker is named", "Give --amqp URL, ETL_AMQP_URL, or ETL_AMQP_URL_FILE."
        )
    return Broker.parse(url)


def _from_file(path: Path) -> str:
    """The URL in a file of this user's, or of root's, that others can neither read nor write."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(LARGEST_FILE) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        hint = "ETL_AMQP_URL_FILE names it."
        raise FileError(path, None, str(error.strerror), hint) from error
    if not stat.S_ISREG(found.st_mode):
        raise FileError(path, None, "not a regular file", "ETL_AMQP_URL_FILE names it.")
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o027:
        hint = f"chmod 600 '{path}', and let it belong to whoever runs etl."
        raise FileError(path, None, "others can read or change it", hint)
    if not content.strip():
        raise FileError(path, None, "it is empty", "It should hold the broker's URL.")
    return content.decode(errors="replace").strip()
