-- Ends a transaction whose item was not begun; somebody else may claim it.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      its own are freed
-- Cost:       constant
ROLLBACK;
