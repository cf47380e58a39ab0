-- Ends the transaction of an item.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      its own are freed
-- Cost:       constant
COMMIT;
