-- The cycles of a job whose queue is in the database and whose record is open.
--
-- Parameters: :'job'
-- Returns:    cycle_id
-- Reads:      etl.cycle, by its index of open records
-- Locks:      none
-- Cost:       constant
SELECT c.cycle_id
FROM etl.cycle AS c
WHERE c.job = :'job' AND c.finished_at IS NULL AND c.queue = 'postgres'
ORDER BY c.cycle_id;
