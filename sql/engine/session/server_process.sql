-- Which server process answers. Behind a connection pooler that shares sessions it is now
-- this one, now that one.
--
-- Parameters: none
-- Returns:    one row: its process id
-- Locks:      none
-- Cost:       constant
SELECT pg_backend_pid();
