"""Does the ledger add up? Asked after every fault, by tests and by the chaos run."""

from etl.db import Connection

_SUMS = """
SELECT c.cycle_id, format('found %s is not %s done + %s failed + %s busy + %s orphaned + %s left',
    c.found, c.done, c.failed, c.busy, c.orphaned, c.remaining)
FROM etl.cycle AS c
WHERE c.found <> c.done + c.failed + c.busy + c.orphaned + c.remaining OR c.remaining < 0
UNION ALL
SELECT c.cycle_id, format('the record says %s %s, etl.attempt has %s', x.said, x.outcome, a.items)
FROM etl.cycle AS c
CROSS JOIN LATERAL (VALUES ('done', c.done), ('failed', c.failed), ('busy', c.busy),
    ('orphaned', c.orphaned)) AS x (outcome, said)
-- Of a job with key ranges the counts are of keys.
CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM etl.round AS r WHERE r.job = c.job)
    THEN coalesce(sum(t.weight), 0) ELSE count(*) END AS items FROM etl.attempt AS t
    WHERE t.cycle_id = c.cycle_id AND t.outcome = x.outcome) AS a
WHERE x.said <> a.items
UNION ALL
SELECT c.cycle_id, format('the levels have %s of %s, the record %s', sum((l ->> x.name)::bigint),
    x.name, x.said)
FROM etl.cycle AS c
CROSS JOIN LATERAL (VALUES ('found', c.found), ('done', c.done), ('failed', c.failed),
    ('busy', c.busy), ('orphaned', c.orphaned)) AS x (name, said)
CROSS JOIN LATERAL jsonb_array_elements(c.levels) AS l
GROUP BY c.cycle_id, x.name, x.said
HAVING sum((l ->> x.name)::bigint) <> x.said
UNION ALL
SELECT a.cycle_id, format('item %s has %s done attempts', a.item_key, count(*))
FROM etl.attempt AS a WHERE a.outcome = 'done'
GROUP BY a.cycle_id, a.item_key HAVING count(*) > 1
UNION ALL
SELECT c.cycle_id, 'the record is not closed' FROM etl.cycle AS c WHERE c.finished_at IS NULL
"""


def wrong_sums(connection: Connection) -> list[str]:
    """What does not add up in the ledger, where no cycle runs; nothing: all right."""
    rows = connection.execute(_SUMS.encode()).fetchall()
    return [f"cycle {cycle_id}: {problem}" for cycle_id, problem in rows]
