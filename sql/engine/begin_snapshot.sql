-- Makes the transaction read one state of the database, and only read.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      none
-- Cost:       constant
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
