"""Messages that no publisher of this program would send."""

import json
from typing import Any

from tests.conftest import runner
from tests.stream.broker import OwnBroker
from tests.stream.conftest import QUEUE, Start
from tests.stream.test_service import DEAD


def test_ids_and_headers_may_be_anything(
    start: Start, broker: OwnBroker, stream_environment: dict[str, str]
) -> None:
    service = start().ready()
    strange: Any = {"x-etl-attempts": "many", "x-etl-sqlstate": 7, "x-\u2028": None, b"x-\xff": 1}
    broker.publish(QUEUE, (b"\xff-id", b"number seven"), headers=strange)
    told = service.until("MessageFailed", is_dead=True)
    assert (told["message_id"], told["attempts"]) == ("\\xff-id", 1)
    etl = runner(stream_environment)
    (listed,) = json.loads(etl("held", "list", "letters", "--json").out)
    assert (listed["item_key"], listed["attempts"]) == ("\\xff-id", 1)
    broker.publish(DEAD, (b"\xfe", b"by hand"), headers=strange)
    listed = json.loads(etl("held", "list", "letters", "--json").out)
    assert [(item["item_key"], item["attempts"]) for item in listed][1:] == [("\\xfe", 0)]
    assert etl("held", "release", "letters", "\\xff-id").status == 0
    service.until("MessageFailed", message_id="\\xff-id", is_dead=True)
    service.stop()


def test_headers_that_leave_no_room_for_the_reason_are_left_out(
    start: Start, broker: OwnBroker, stream_environment: dict[str, str]
) -> None:
    service = start().ready()
    broker.publish(QUEUE, ("wide", b"number seven"), headers={"wide": "x" * 130_900})
    service.until("MessageFailed", message_id="wide", is_dead=True)
    broker.publish(QUEUE, ("narrow", b"number seven"), headers={"narrow": "kept"})
    service.until("MessageFailed", message_id="narrow", is_dead=True)
    service.stop()
    assert "BrokerLost" not in service.text
    with broker.connect() as connection:
        channel = connection.channel()
        told = [channel.basic_get(DEAD)[1] for _ in range(2)]
    kept = [set(properties.headers or {}) for properties in told if properties is not None]
    assert ["wide" in kept[0], "narrow" in kept[1]] == [False, True]
    assert all("x-etl-message" in names for names in kept)
