-- Undoes what an item's statement did, and keeps the claim.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      those that the statement took are freed
-- Cost:       constant
ROLLBACK TO SAVEPOINT item; -- noqa: PRS
