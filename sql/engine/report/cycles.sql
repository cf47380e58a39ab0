-- The last cycles of a job, up to one of them, the latest first.
--
-- Parameters: :'job'     the job's name in the database
--             :cycle_id  the last one wanted; 0: the job's latest
--             :cycles    how many
-- Returns:    one row a cycle, its columns as etl.cycle has them
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       in proportion to the cycles from the one wanted on
SELECT
    c.cycle_id, c.started_at, c.finished_at, c.host, c.pid, c.etl_version, c.as_of, c.max_items, c.workers,
    c.time_limit_s, c.predicted_s, c.predicted_p95_s, c.stop_reason, c.waits_for, c.found, c.done, c.failed,
    c.busy, c.orphaned, c.remaining, c.levels, c.waits
FROM etl.cycle AS c
WHERE c.job = :'job' AND (CAST(:cycle_id AS bigint) = 0 OR c.cycle_id <= CAST(:cycle_id AS bigint))
ORDER BY c.started_at DESC, c.cycle_id DESC
LIMIT CAST(:cycles AS bigint);
