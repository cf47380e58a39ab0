-- The latest cycles of a job, the last first.
--
-- Parameters: :'job'
--             :'cycles'    how many
--             :'cycle_id'  just this one; null: the latest
-- Returns:    one row a cycle. duration_s of a running one is so far; waited_s is the part of it
--             in which nothing was claimed
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       in proportion to the rows
SELECT
    c.cycle_id,
    c.started_at,
    c.finished_at,
    CAST(extract(EPOCH FROM coalesce(c.finished_at, clock_timestamp()) - c.started_at) AS double precision)
        AS duration_s,
    c.as_of,
    c.host,
    c.pid,
    c.max_items,
    c.workers,
    c.found,
    c.done,
    c.failed,
    c.busy,
    c.orphaned,
    c.remaining,
    c.stop_reason,
    c.time_limit_s,
    c.predicted_s,
    c.predicted_p95_s,
    c.waits_for,
    w.waited_s,
    c.levels
FROM etl.cycle AS c
CROSS JOIN
    LATERAL (
        SELECT coalesce(sum(CAST(t.wait ->> 'seconds' AS double precision)), 0) AS waited_s
        FROM jsonb_array_elements(c.waits) AS t (wait)
    ) AS w
WHERE
    c.job = :'job'
    AND (CAST(:'cycle_id' AS bigint) IS NULL OR c.cycle_id = CAST(:'cycle_id' AS bigint))
ORDER BY c.started_at DESC, c.cycle_id DESC
LIMIT CAST(:'cycles' AS bigint);
