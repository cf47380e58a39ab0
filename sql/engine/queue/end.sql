-- Ends the queue of a cycle: from the end of the transaction on nothing is put there any more, and
-- what was put there before is seen by the statements behind this one.
--
-- Parameters: :'cycle_id'
-- Returns:    nothing
-- Writes:     etl.queue
-- Locks:      the row; it waits for workers that are putting something back
-- Cost:       constant
DELETE FROM etl.queue WHERE cycle_id = CAST(:'cycle_id' AS bigint);
