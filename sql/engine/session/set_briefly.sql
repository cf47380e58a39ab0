-- Settings of a transaction that will be tried again in a second: it waits for nobody, and what it
-- tells is durable.
--
-- Parameters: none
-- Returns:    the values set
-- Locks:      none
-- Cost:       constant
SELECT
    set_config('lock_timeout', '200ms', TRUE),
    set_config('synchronous_commit', 'on', TRUE);
