-- Settings of a transaction that reads one state of the database, and the moment of asking.
--
-- Parameters: :'lock_timeout' (0: wait for a locked table as long as it takes)
-- Returns:    now, by the server's clock; the value set
-- Locks:      none
-- Cost:       constant
SELECT
    clock_timestamp() AS now,
    set_config('lock_timeout', :'lock_timeout', TRUE) AS lock_timeout;
