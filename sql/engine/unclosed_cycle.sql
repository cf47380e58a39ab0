-- The record of a cycle that has not been closed.
--
-- Parameters: :'cycle_id'
-- Returns:    job, started_at, as_of, max_items, workers, levels; or no row
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       constant
SELECT job, started_at, as_of, max_items, workers, levels
FROM etl.cycle
WHERE cycle_id = CAST(:'cycle_id' AS bigint) AND finished_at IS NULL;
