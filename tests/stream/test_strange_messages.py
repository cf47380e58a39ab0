"""Messages that no publisher of this program would send."""

import json

from tests.conftest import runner
from tests.stream.broker import OwnBroker
from tests.stream.conftest import QUEUE, Start

DEAD = f"{QUEUE}.dead"


def test_ids_and_headers_may_be_anything(
    start: Start, broker: OwnBroker, stream_environment: dict[str, str]
) -> None:
    service = start().ready()
    strange = {"x-etl-attempts": "many", "x-etl-sqlstate": 7, "x-\u2028": None}
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
