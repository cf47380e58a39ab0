-- The last finished cycle of a job, and the last one that was a success.
--
-- Parameters: :'job'
-- Returns:    no row where none has finished, else one: finished_at, duration_s, predicted_s,
--             done, failed, busy, orphaned, levels; and succeeded_at, when the last cycle finished
--             that ended by itself and in which no item failed or was orphaned
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       in proportion to the cycles of all jobs since the last success
--
-- Left out: cycles for one item that was asked for by name. They say nothing about the backlog.
SELECT
    c.finished_at,
    CAST(greatest(0, extract(EPOCH FROM c.finished_at - c.started_at)) AS double precision) AS duration_s,
    c.predicted_s,
    c.done,
    c.failed,
    c.busy,
    c.orphaned,
    c.levels,
    (
        SELECT s.finished_at
        FROM etl.cycle AS s
        WHERE
            s.job = :'job'
            AND s.stop_reason IN ('drained', 'limit', 'time limit')
            AND s.failed + s.orphaned = 0
            AND NOT s.levels @> '[{"level": 0}]'
        ORDER BY s.cycle_id DESC
        LIMIT 1
    ) AS succeeded_at
FROM etl.cycle AS c
WHERE c.job = :'job' AND c.finished_at IS NOT NULL AND NOT c.levels @> '[{"level": 0}]'
ORDER BY c.cycle_id DESC
LIMIT 1;
