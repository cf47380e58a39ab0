"""The shipped job: what it stores, its sample messages, and what the service answers over HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any

from etl.db import Connection
from tests.conftest import runner
from tests.shapes import assert_exact
from tests.stream.broker import OwnBroker
from tests.stream.conftest import Start
from tests.waiting import until, until_gone

_EXPECTED = """
SELECT p ->> 'player',
    count(*) FILTER (WHERE e ->> 'player' = p ->> 'player' AND e ->> 'type' = $2),
    count(*) FILTER (WHERE e ->> 'victim' = p ->> 'player' AND e ->> 'type' = $2),
    coalesce(sum((e ->> 'amount')::numeric)
        FILTER (WHERE e ->> 'player' = p ->> 'player' AND e ->> 'type' = 'damage'), 0)
FROM jsonb_array_elements($1::jsonb -> 'players') AS p
CROSS JOIN jsonb_array_elements($1::jsonb -> 'events') AS e
GROUP BY 1 ORDER BY 1
"""


def ask(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    """What the service answers."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_matches_become_statistics(
    start: Start, broker: OwnBroker, connection: Connection, stream_environment: dict[str, str]
) -> None:
    etl = runner(stream_environment)
    done = etl("telemetry", "publish-sample", "--count=5", "--players=8", "--events=9", "--json")
    told = json.loads(done.out)
    assert (done.status, told["published"]) == (0, 5), done.err
    assert_exact("publish-sample", told)
    with broker.connect() as peek:  # the message that the service will get once more
        properties, body = peek.channel().basic_get("telemetry")[1:]
        assert properties is not None
    service = start("telemetry", "--workers=2", "--serve=0")
    service.ready()
    port = int(service.text.partition("answering at http://127.0.0.1:")[2].partition("/")[0])
    until(lambda: "telemetry_processed_total 5.0" in ask(port, "/metrics")[1])
    assert ask(port, "/health") == (200, "alive\n")
    until(lambda: ask(port, "/ready")[0] == 200)
    assert ask(port, "/nothing")[0] == 404
    numbers = ask(port, "/metrics")[1]
    assert 'queue_messages_processed_total{outcome="done"} 5.0' in numbers
    assert "queue_processing_duration_seconds_count 5.0" in numbers
    assert "queue_in_flight 0.0" in numbers
    again = etl("telemetry", "publish-sample", "--count=2", "--players=8", "--events=9")
    assert again.status == 0
    until(lambda: 'processed_total{outcome="duplicate"} 2.0' in ask(port, "/metrics")[1])
    broker.publish("telemetry", ("torn", b'{"match_id": '))
    until(lambda: 'processed_total{outcome="dead"} 1.0' in ask(port, "/metrics")[1])
    told = ask(port, "/metrics")[1]
    assert 'worker_errors_total{sqlstate="22P02"} 1.0' in told
    assert 'queue_depth{queue="telemetry.dead"}' in told
    assert "queue_ready 1.0" in told
    service.stop()

    assert properties.message_id is not None
    assert body is not None
    stored = connection.execute(
        "SELECT player, kills, deaths, damage_dealt FROM telemetry.match_players"
        " WHERE match_id = $1 ORDER BY player",
        [properties.message_id],
    ).fetchall()
    expected = connection.execute(_EXPECTED.encode(), [body.decode(), "kill"]).fetchall()
    assert stored == expected
    assert len(stored) == 8
    totals = connection.execute("SELECT count(*), sum(events) FROM telemetry.matches").fetchone()
    assert totals == (5, 5 * 8 * 9)
    assert etl("verify", "telemetry").status == 0
    connection.execute(
        "UPDATE telemetry.match_players SET kills = kills + 1 WHERE player = 'player-3'"
    )
    wrong = json.loads(etl("verify", "telemetry", "--json").out)
    assert wrong["wrong"] == 5


def test_without_a_broker_it_lives_and_is_not_ready(start: Start) -> None:
    service = start("letters", "--serve=[::1]:0", ETL_AMQP_URL="amqp://127.0.0.1:1/")
    service.until("BrokerLost")
    port = int(service.text.partition("answering at http://[::1]:")[2].partition("/")[0])
    status, told = ask(port, "/ready", "[::1]")
    assert status == 503
    assert told.startswith("not ready: no connection to the broker: ")
    assert "refused" in told
    assert ask(port, "/health", "[::1]")[0] == 200
    assert "queue_ready 0.0" in ask(port, "/metrics", "[::1]")[1]
    service.stop()


def test_a_message_that_is_no_match_is_a_data_error(connection: Connection) -> None:
    match: dict[str, Any] = {
        "match_id": "m", "map": "x", "mode": "solo", "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:30:00Z", "players": [{"player": "a", "team": 1}],
        "events": [{"at": "2026-01-01T00:00:01Z", "type": "landing", "player": "a"}],
    }  # fmt: skip

    def state(body: object) -> str:
        text = body if isinstance(body, str) else json.dumps(body)
        try:
            connection.execute("CALL telemetry.store($1, $2)", ["m", text])
        except Exception as error:
            code = getattr(error, "sqlstate", None)
            if code is None:
                raise
            return str(code)
        return ""

    nobody: list[object] = []
    broken: list[object] = [
        "no json",
        [match],
        {k: v for k, v in match.items() if k != "map"},
        match | {"started_at": "yesterday at noon"},
        match | {"players": nobody},
        match | {"events": 7},
        match | {"events": [{"type": "kill", "player": "a", "victim": "b"}]},
        match | {"events": [{"type": "damage", "player": "a", "amount": "much"}]},
        match | {"events": [{"type": "kill", "player": "a"}]},
    ]
    assert {state(one)[:2] for one in broken} == {"22"}
    assert connection.execute("SELECT count(*) FROM telemetry.matches").fetchone() == (0,)
    assert state(match) == ""
    assert state(match) == "23505"


def test_commands_about_cycles_refuse_a_stream(stream_environment: dict[str, str]) -> None:
    etl = runner(stream_environment)
    for command in ("plan", "bench", "explain"):
        refused = etl(command, "telemetry")
        assert refused.status == 2
        assert "it has no cycles" in refused.err
    assert "telemetry" not in etl("status").out


def test_ids_are_forgotten_by_age(start: Start, broker: OwnBroker, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO etl.done_message (job, message_id, done_at) VALUES"
        " ('letters', 'old', now() - interval '31 days'),"
        " ('letters', 'young', now() - interval '29 days'),"
        " ('telemetry', 'other', now() - interval '99 days')"
    )
    service = start().ready()
    until_gone(connection, "SELECT FROM etl.done_message WHERE message_id = 'old'")
    left = "SELECT message_id FROM etl.done_message ORDER BY 1"
    assert connection.execute(left).fetchall() == [("other",), ("young",)]
    service.stop()
