-- The latest cycles of a job, or those up to one of them; the last first. One begins after the
-- other, so the later one has the greater id, whatever the clocks of their hosts say.
--
-- Parameters: :'job'
--             :'cycles'    how many
--             :'cycle_id'  the last one wanted; null: the job's latest
-- Returns:    one row a cycle, its columns as etl.cycle has them; duration_s of one whose record
--             is open is so far
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       in proportion to the rows, and to the cycles of other jobs since the earliest of them
SELECT
    c.cycle_id, c.started_at, c.finished_at,
    CAST(
        greatest(0, extract(EPOCH FROM coalesce(c.finished_at, clock_timestamp()) - c.started_at))
        AS double precision
    ) AS duration_s,
    c.host, c.pid, c.etl_version, c.as_of, c.max_items, c.workers, c.time_limit_s, c.predicted_s, c.predicted_p95_s,
    c.stop_reason, c.waits_for, c.found, c.done, c.failed, c.busy, c.orphaned, c.remaining, c.levels, c.waits
FROM etl.cycle AS c
WHERE
    c.job = :'job'
    AND (CAST(:'cycle_id' AS bigint) IS NULL OR c.cycle_id <= CAST(:'cycle_id' AS bigint))
ORDER BY c.cycle_id DESC
LIMIT CAST(:'cycles' AS bigint);
