-- The cycle of a job whose record is open, if any.
--
-- Parameters: :'job'
-- Returns:    cycle_id, or no row
-- Reads:      etl.cycle, by its index of open records
-- Locks:      none
-- Cost:       constant
SELECT c.cycle_id
FROM etl.cycle AS c
WHERE c.job = :'job' AND c.finished_at IS NULL
ORDER BY c.started_at DESC
LIMIT 1;
