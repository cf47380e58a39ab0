-- All finished cycles of a job, by how they ended.
--
-- Parameters: :'job'
-- Returns:    stop_reason, cycles, duration_s and waited_s together
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       in proportion to the cycles of the job
SELECT
    c.stop_reason,
    count(*) AS cycles,
    sum(CAST(greatest(0, extract(EPOCH FROM c.finished_at - c.started_at)) AS double precision)) AS duration_s,
    coalesce(sum(w.waited_s), 0) AS waited_s
FROM etl.cycle AS c
CROSS JOIN
    LATERAL (
        SELECT sum(t.seconds) AS waited_s FROM jsonb_to_recordset(c.waits) AS t (seconds double precision)
    ) AS w
WHERE c.job = :'job' AND c.finished_at IS NOT NULL
GROUP BY c.stop_reason
ORDER BY c.stop_reason;
