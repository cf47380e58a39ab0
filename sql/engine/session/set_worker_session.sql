-- Settings of a worker's session.
--
-- Parameters: :'statement_timeout', :'lock_timeout' in PostgreSQL's notation;
--             :'synchronous_commit' off, or on
-- Returns:    one row: since when the server runs; since when without a crash; within how
--             many seconds a commit is on disk at the latest; then the values set
-- Reads:      pg_stat_bgwriter: a crash begins its figures anew
-- Locks:      none
-- Cost:       constant
--
-- Result and dirty mark commit together, so a server crash that loses the last
-- asynchronous commits loses both halves of each: the items are dirty again. The
-- record of the cycle commits synchronously and makes all before it durable.
--
-- A notice goes to nobody, and 2,000,000 of them took the worker 5.6 s. The warning that another
-- session has crashed must come, whatever the role says.
SELECT
    pg_postmaster_start_time(),
    (SELECT b.stats_reset FROM pg_stat_bgwriter AS b) AS whole_since,
    -- The manual: an asynchronous commit is flushed within three times this delay.
    1 + 3 * (
        SELECT CAST(s.setting AS double precision) FROM pg_settings AS s WHERE s.name = 'wal_writer_delay'
    ) / 1000 AS flushed_within_s,
    set_config('synchronous_commit', :'synchronous_commit', FALSE),
    set_config('jit', 'off', FALSE),
    set_config('client_min_messages', 'warning', FALSE),
    set_config('statement_timeout', :'statement_timeout', FALSE),
    set_config('lock_timeout', :'lock_timeout', FALSE);
