"""Ledgers as cycles leave them, written by plain SQL; all of job datamart_users."""

from etl.db import Connection

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=http://evil.example/x onerror=alert(1)>',
    "{{ 7 * 7 }} {% raw %}",
    "</title></style></svg><script>document.title='broken'</script>",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2",
    "a\x1b[2J\x07\r\nb\x7f\x85\ufeff",
    "k" * 2000,
]
"""Keys and messages that somebody may have put into a table."""

_CYCLE = """
INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of, max_items,
    workers, found, done, failed, busy, orphaned, remaining, levels, stop_reason, time_limit_s,
    predicted_s, predicted_p95_s, waits)
SELECT 'datamart_users', t.at, CASE WHEN $1 THEN t.at + interval '10 seconds' END, 'host-a', 4711,
    '0.1.0', '2026-01-16', 500, 2, 300, 190, 4, 2, 1, 103,
    '[{"level": 1, "name": "critical", "found": 100, "done": 97, "failed": 2, "busy": 1,
       "orphaned": 0, "oldest_dirty_at": "2026-01-16T01:00:00+00:00", "left": 3,
       "oldest_left_at": "2026-01-16T02:00:00+00:00"},
      {"level": 2, "name": "high", "found": 200, "done": 93, "failed": 2, "busy": 1, "orphaned": 1}
     ]'::jsonb,
    CASE WHEN $1 THEN 'limit' END, 900, 8.5, 12.25,
    '[{"reason": "replication lag", "since": "2026-01-16T03:00:04+00:00", "seconds": 1.5}]'
FROM (VALUES (timestamptz '2026-01-16 03:00Z')) AS t (at)
RETURNING cycle_id
"""
# Both workers: 100 items of 40 ms, one every 45 ms, a pause of 3 s in the middle of worker 2.
_ATTEMPTS = """
INSERT INTO etl.attempt (cycle_id, item_key, level, worker, outcome, finished_at, duration_ms,
    sqlstate, message, weight)
SELECT $1, format('%s', n), 1 + n % 2, 1 + n % 2, o.outcome,
    timestamptz '2026-01-16 03:00:01Z' + n / 2 * interval '45 ms'
        + CASE WHEN n % 2 = 1 AND n > 100 THEN interval '3 s' ELSE interval '0' END,
    CASE WHEN o.outcome <> 'orphaned' THEN CASE WHEN n = 150 THEN 400 ELSE 40 END END,
    o.sqlstate, o.message, n
FROM generate_series(0, 196) AS g (n)
CROSS JOIN LATERAL (
    SELECT CASE WHEN n IN (10, 60, 61, 120) THEN 'failed' WHEN n IN (20, 71) THEN 'busy'
                WHEN n = 130 THEN 'orphaned' ELSE 'done' END,
        CASE WHEN n = 10 THEN '23505' WHEN n IN (60, 61, 120) THEN '22012'
             WHEN n IN (20, 71) THEN '55P03' END,
        CASE WHEN n = 10 THEN 'duplicate key' WHEN n IN (60, 61) THEN 'division by zero'
             WHEN n = 120 THEN 'other division' WHEN n IN (20, 71) THEN 'lock timeout' END
) AS o (outcome, sqlstate, message)
"""


def add_cycle(connection: Connection, *, is_finished: bool = True, attempts: bool = True) -> int:
    """A cycle of ten seconds with 197 attempts of all outcomes, a wait, and ages of one level."""
    ((cycle_id,),) = connection.execute(_CYCLE, [is_finished]).fetchall()
    if attempts:
        connection.execute(_ATTEMPTS, [cycle_id])
    return int(cycle_id)


def add_earlier(connection: Connection, number: int) -> None:
    """Cycles in the nights before, whose backlog grows by one each night."""
    connection.execute(
        "INSERT INTO etl.cycle (job, started_at, finished_at, host, pid, etl_version, as_of,"
        " max_items, workers, found, done, remaining, stop_reason)"
        " SELECT 'datamart_users', t.at, t.at + n * interval '1 second', 'host-a', n, '0.1.0',"
        " '2026-01-01', 50, 1, 60 + n, 50, 10 + n, 'limit'"
        " FROM generate_series(1, $1::int) AS g (n)"
        " CROSS JOIN LATERAL (SELECT timestamptz '2026-01-16 03:00Z' - ($1 - n + 1)"
        " * interval '1 day') AS t (at)",
        [number],
    )


def add_held(connection: Connection) -> None:
    """One item of each state; the one in quarantine has no end that a calendar knows."""
    connection.execute(
        "INSERT INTO etl.held_item VALUES"
        " ('datamart_users', '10', 2, 'infinity', '2026-01-16', 1, 'failed', '23505', 'duplicate'),"
        " ('datamart_users', '60', 1, 'infinity', NULL, 1, 'failed', '22012', 'division by zero'),"
        " ('datamart_users', '130', 1, '2026-01-16', NULL, 1, 'orphaned', NULL, NULL),"
        " ('another', '1', 1, 'infinity', NULL, 1, 'failed', '22012', 'not told')"
    )


def add_evil(connection: Connection, cycle_id: int) -> None:
    """Failures, slow items and held ones with the worst keys and messages."""
    for number, text in enumerate(EVIL):
        connection.execute(
            "INSERT INTO etl.attempt VALUES"
            " ($1, $2, 1, 1, 'failed', timestamptz '2026-01-16 03:00:08Z', 900, $3, $2, 'NaN')",
            [cycle_id, text, f"X{number:04}"],
        )
        connection.execute(
            "INSERT INTO etl.held_item VALUES"
            " ('datamart_users', $1, 1, 'infinity', NULL, 1, 'failed', 'X0000', $1)",
            [text],
        )
    connection.execute(
        "UPDATE etl.cycle SET host = $1, stop_reason = $1, etl_version = $1,"
        " levels = jsonb_set(levels, '{0,name}', to_jsonb($1::text)),"
        " waits = jsonb_set(waits, '{0,reason}', to_jsonb($1::text)) WHERE cycle_id = $2",
        [EVIL[0] + EVIL[1], cycle_id],
    )


def add_large(connection: Connection, items: int) -> int:
    """A cycle of eight workers that pause after every item, 400 ms of each second."""
    cycle_id = add_cycle(connection, attempts=False)
    connection.execute("UPDATE etl.cycle SET workers = 8 WHERE cycle_id = $1", [cycle_id])
    connection.execute(
        "INSERT INTO etl.attempt SELECT $1, format('item-%s', n), 1, 1 + n % 8,"
        " CASE WHEN n % 5 = 0 THEN 'failed' ELSE 'done' END,"
        " timestamptz '2026-01-16 03:00Z' + ceil(n * 10.0 / $2) * interval '1 second'"
        " - n % 600 * interval '1 ms', 1, CASE WHEN n % 5 = 0 THEN 'P0001' END,"
        " CASE WHEN n % 5 = 0 THEN format('message %s', n) END, n"
        " FROM generate_series(1, $2) AS g (n)",
        [cycle_id, items],
    )
    return cycle_id
