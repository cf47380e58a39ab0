-- Lets nobody claim any more: the crews of a cycle finish what they have in hand, and leave.
--
-- Parameters: :'cycle_id'
-- Returns:    nothing
-- Writes:     etl.queue
-- Locks:      the row
-- Cost:       constant
UPDATE etl.queue SET is_closing = TRUE
WHERE cycle_id = CAST(:'cycle_id' AS bigint) AND NOT is_closing;
