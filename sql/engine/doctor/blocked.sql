-- Sessions that wait for a lock, and who holds it.
--
-- Parameters: :'waiting_s'  for longer than that, seconds
-- Returns:    severity, what, why, command; one row for each that holds up others
-- Reads:      pg_stat_activity, pg_locks
-- Locks:      none; pg_locks holds up the lock manager for a moment
-- Cost:       constant
SELECT
    'warning' AS severity,
    format(
        'server process %s (%s) holds up %s session(s), for %s',
        b.pid, coalesce(nullif(b.application_name, ''), b.usename, 'no name'), count(DISTINCT w.pid),
        date_trunc('second', max(clock_timestamp() - l.waitstart))
    ) AS what,
    format(
        'It is %s since %s; last statement: %s', coalesce(b.state, 'of another user'),
        date_trunc('second', b.state_change), left(regexp_replace(b.query, '\s+', ' ', 'g'), 120)
    ) AS why,
    format('SELECT pg_terminate_backend(%s); -- or pg_cancel_backend, where it runs a statement', b.pid) AS command
FROM pg_locks AS l
JOIN pg_stat_activity AS w ON l.pid = w.pid
CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS p (pid)
JOIN pg_stat_activity AS b ON p.pid = b.pid
WHERE
    NOT l.granted
    AND l.waitstart < clock_timestamp() - CAST(:'waiting_s' AS double precision) * interval '1 s'
GROUP BY b.pid, b.application_name, b.usename, b.state, b.state_change, b.query
ORDER BY b.pid;
