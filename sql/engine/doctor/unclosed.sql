-- Whether the record of a cycle is open still, or was closed as cut off.
--
-- Parameters: :'cycle_id'
-- Returns:    one row where it is
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       constant
SELECT c.cycle_id
FROM etl.cycle AS c
WHERE c.cycle_id = CAST(:'cycle_id' AS bigint) AND (c.finished_at IS NULL OR c.stop_reason = 'crashed');
