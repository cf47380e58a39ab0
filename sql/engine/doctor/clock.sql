-- What time it is on the server.
--
-- Parameters: none
-- Returns:    one row
-- Locks:      none
-- Cost:       constant
SELECT clock_timestamp() AS now;
