-- Settings of a worker's session.
--
-- Parameters: :'statement_timeout', :'lock_timeout' in PostgreSQL's notation
-- Returns:    one row: since when the server runs, then the values set
-- Locks:      none
-- Cost:       constant
--
-- Result and dirty mark commit together, so a server crash that loses the last
-- asynchronous commits loses both halves of each: the items are dirty again. The
-- record of the cycle commits synchronously and makes all before it durable.
SELECT
    pg_postmaster_start_time(),
    set_config('synchronous_commit', 'off', FALSE),
    set_config('jit', 'off', FALSE),
    set_config('statement_timeout', :'statement_timeout', FALSE),
    set_config('lock_timeout', :'lock_timeout', FALSE);
