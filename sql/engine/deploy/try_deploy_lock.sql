-- Takes the lock under which SQL files, roles and grants are applied, for this transaction.
--
-- Parameters: none
-- Returns:    one row, true where it was taken
-- Locks:      an advisory lock until the transaction ends. Never waits: whoever waits
--             in pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY
--             waits for that in turn
-- Cost:       constant
SELECT pg_try_advisory_xact_lock(hashtextextended('etl init', 0));
