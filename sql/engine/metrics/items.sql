-- The attempts of all finished cycles of a job, by level and outcome.
--
-- Parameters: :'job'
-- Returns:    level (its name), done, failed, busy, orphaned
-- Reads:      etl.cycle, whose rows stay when the attempts are forgotten
-- Locks:      none
-- Cost:       in proportion to the cycles of the job
--
-- Not those of a running cycle: a crash of the server may still take some of its items back,
-- and a sum that falls looks like a restart from zero.
SELECT
    l.name AS level,
    sum(l.done) AS done,
    sum(l.failed) AS failed,
    sum(l.busy) AS busy,
    sum(l.orphaned) AS orphaned
FROM etl.cycle AS c
CROSS JOIN
    LATERAL jsonb_to_recordset(c.levels)
        AS l (level integer, name text, done bigint, failed bigint, busy bigint, orphaned bigint)
WHERE c.job = :'job' AND c.finished_at IS NOT NULL
GROUP BY l.name
ORDER BY min(l.level), l.name;
