-- etl.progress and etl.failures: what a DBA asks the ledger first.
--
-- Parameters: none
-- Returns:    progress: one row for each job, its latest cycle, running or not.
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
    c.pid
FROM etl.cycle AS c
ORDER BY c.job, c.started_at DESC;

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
