-- The moment of asking, by the server's clock: what counts as now beside everything that a snapshot
-- shows.
--
-- Parameters: none
-- Returns:    now
-- Locks:      none
-- Cost:       constant
SELECT clock_timestamp() AS now;
