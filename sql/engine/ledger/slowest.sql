-- The attempts of a cycle that took longest, whatever they came to.
--
-- Parameters: :cycle_id      the cycle
--             :'started_at'  when it began
--             :most          how many
-- Returns:    item_key, level, worker, outcome, from_s (when it was claimed, seconds since the cycle
--             began), duration_ms, weight
-- Reads:      etl.attempt
-- Locks:      none
-- Cost:       in proportion to the cycle's attempts
SELECT
    a.item_key, a.level, a.worker, a.outcome,
    CAST(
        extract(EPOCH FROM a.finished_at - CAST(:'started_at' AS timestamptz)) AS double precision
    ) - a.duration_ms / 1000 AS from_s,
    CAST(a.duration_ms AS double precision) AS duration_ms,
    -- what is no number would be none in JSON either
    CASE WHEN a.weight >= 0 AND a.weight < 'infinity' THEN a.weight END AS weight
FROM etl.attempt AS a
WHERE a.cycle_id = CAST(:cycle_id AS bigint) AND a.duration_ms IS NOT NULL
ORDER BY a.duration_ms DESC, a.item_key ASC
LIMIT CAST(:most AS bigint);
