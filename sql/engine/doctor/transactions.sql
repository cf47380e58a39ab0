-- Transactions that have been open for long, idle or at work, prepared ones too.
--
-- Parameters: :'idle_s'  idle in a transaction for longer than that, seconds
--             :'open_s'  or open for longer than that
-- Returns:    severity, what, why, command; one row for each
-- Reads:      pg_stat_activity, pg_prepared_xacts
-- Locks:      none
-- Cost:       constant
SELECT
    'warning' AS severity,
    format(
        'server process %s (%s) is %s, its transaction open for %s', a.pid,
        coalesce(nullif(a.application_name, ''), a.usename, 'no name'), a.state,
        date_trunc('second', clock_timestamp() - a.xact_start)
    ) AS what,
    'No vacuum removes what it might still see: tables and indexes grow, and it keeps its locks' AS why,
    format('SELECT pg_terminate_backend(%s);', a.pid) AS command
FROM pg_stat_activity AS a
WHERE
    a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
    AND (
        (
            a.state LIKE 'idle in transaction%'
            AND a.state_change < clock_timestamp() - CAST(:'idle_s' AS double precision) * interval '1 s'
        )
        OR a.xact_start < clock_timestamp() - CAST(:'open_s' AS double precision) * interval '1 s'
    )
UNION ALL
SELECT
    'warning' AS severity,
    format('the transaction %L is prepared since %s and was never finished', p.gid, date_trunc('second', p.prepared))
        AS what,
    'It keeps its locks and holds up vacuum, also after a restart' AS why,
    format('ROLLBACK PREPARED %L; -- or COMMIT PREPARED', p.gid) AS command
FROM pg_prepared_xacts AS p
WHERE
    p.database = current_database()
    AND p.prepared < clock_timestamp() - CAST(:'idle_s' AS double precision) * interval '1 s';
