-- The items of a cycle that took longest.
--
-- Parameters: :'cycle_id'
--             :'items'  how many
-- Returns:    item_key, level, worker, outcome, duration_ms, weight, finished_at
-- Reads:      etl.attempt
-- Locks:      none
-- Cost:       in proportion to the attempts of the cycle
SELECT a.item_key, a.level, a.worker, a.outcome, CAST(a.duration_ms AS double precision), a.weight, a.finished_at
FROM etl.attempt AS a
WHERE a.cycle_id = CAST(:'cycle_id' AS bigint) AND a.duration_ms IS NOT NULL
ORDER BY a.duration_ms DESC, a.item_key ASC
LIMIT CAST(:'items' AS bigint);
