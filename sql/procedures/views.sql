-- etl.progress, etl.freshness and etl.failures: what a DBA asks the ledger first.
--
-- Parameters: none
-- Returns:    progress: one row for each job, its latest cycle, running or not.
--             freshness: one row for each level of a job, of its latest cycle that has
--             ended: what it left, and how long the oldest of that had been dirty then;
--             `etl status` tells what is so now
--             failures: one row for each attempt that did not succeed, latest first
-- Reads:      etl.cycle, etl.attempt
-- Locks:      none
-- Cost:       progress: in proportion to the cycles; failures: filter by job or cycle_id
CREATE OR REPLACE VIEW etl.progress AS
SELECT DISTINCT ON (c.job)
    c.job,
    c.cycle_id,
    coalesce(c.stop_reason, 'running') AS state,
    c.started_at,
    coalesce(c.finished_at, now()) - c.started_at AS duration,
    c.done + c.failed + c.busy + c.orphaned AS claimed,
    least(c.max_items, c.found) AS queued,
    c.done,
    c.failed,
    c.busy,
    c.orphaned,
    c.remaining,
    c.workers,
    c.host,
    c.pid,
    c.waits_for
FROM etl.cycle AS c
ORDER BY c.job, c.cycle_id DESC;

CREATE OR REPLACE VIEW etl.freshness AS
SELECT
    c.job,
    l.level,
    l.name,
    c.cycle_id,
    c.finished_at,
    l."left" AS items_left,
    l.oldest_left_at,
    c.finished_at - l.oldest_left_at AS oldest_age
FROM (
    SELECT DISTINCT ON (e.job) e.job, e.cycle_id, e.finished_at, e.levels
    FROM etl.cycle AS e
    WHERE e.finished_at IS NOT NULL AND NOT e.levels @> '[{"level": 0}]'
    ORDER BY e.job, e.cycle_id DESC
) AS c
CROSS JOIN
    LATERAL jsonb_to_recordset(c.levels)
        AS l (
            level integer, name text, "left" bigint, oldest_left_at timestamptz
        )
ORDER BY c.job, l.level;

CREATE OR REPLACE VIEW etl.failures AS
SELECT
    c.job,
    a.cycle_id,
    a.finished_at,
    a.item_key,
    a.outcome,
    a.sqlstate,
    a.message,
    a.worker,
    h.attempts,
    h.held_until,
    h.quarantined_at
FROM etl.attempt AS a
JOIN etl.cycle AS c ON a.cycle_id = c.cycle_id
LEFT JOIN etl.held_item AS h ON c.job = h.job AND a.item_key = h.item_key
WHERE a.outcome <> 'done'
ORDER BY a.finished_at DESC;
