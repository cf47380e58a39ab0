-- Where an item's statement fails, only that is undone: the claim stays until the failure is told.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      none
-- Cost:       constant
SAVEPOINT item; -- noqa: PRS
