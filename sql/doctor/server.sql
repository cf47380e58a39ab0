-- The server: its version, its connections, and settings that endanger data or cycles.
--
-- Parameters: :'needed'  connections that a cycle takes
-- Returns:    severity, what, why, command; one row for each
-- Reads:      pg_settings, pg_stat_activity, pg_db_role_setting
-- Locks:      none
-- Cost:       constant
SELECT
    'error' AS severity,
    format('the server is PostgreSQL %s', current_setting('server_version')) AS what,
    'etl is made for 15 and newer, and tested on 15 and 18' AS why,
    'pg_upgrade to a supported version' AS command
WHERE CAST(current_setting('server_version_num') AS integer) < 150000
UNION ALL
SELECT
    'error' AS severity,
    format('%s is off', s.name) AS what,
    'A crash of the machine can destroy the whole database' AS why,
    format('ALTER SYSTEM SET %I = on; SELECT pg_reload_conf();', s.name) AS command
FROM pg_settings AS s
WHERE s.name IN ('fsync', 'full_page_writes') AND s.setting = 'off'
UNION ALL
SELECT
    'warning' AS severity,
    'autovacuum is off' AS what,
    'Tables and indexes grow without end, and statistics grow old' AS why,
    'ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf();' AS command
WHERE current_setting('autovacuum') = 'off'
UNION ALL
SELECT
    'warning' AS severity,
    format('%s of %s connections are left for everybody', c.free, c.most) AS what,
    format('A cycle here takes %s: its workers and their supervisor', :'needed') AS why,
    'SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;'
        AS command
FROM (
    SELECT
        CAST(current_setting('max_connections') AS integer) AS most,
        CAST(current_setting('max_connections') AS integer)
        - CAST(current_setting('superuser_reserved_connections') AS integer)
        - coalesce(CAST(current_setting('reserved_connections', TRUE) AS integer), 0)
        - (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend') AS free
) AS c
WHERE c.free < CAST(:'needed' AS integer)
UNION ALL
SELECT
    'warning' AS severity,
    format(
        '%s is set for %s', e.setting,
        concat_ws(' in ', 'role ' || CAST(r.rolname AS text), 'database ' || CAST(d.datname AS text))
    ) AS what,
    'It can end the supervisor''s or a worker''s session or statement; the job has its own limits' AS why,
    format(
        'ALTER %s RESET %I;',
        CASE
            WHEN r.rolname IS NULL THEN format('DATABASE %I', d.datname)
            WHEN d.datname IS NULL THEN format('ROLE %I', r.rolname)
            ELSE format('ROLE %I IN DATABASE %I', r.rolname, d.datname)
        END,
        split_part(e.setting, '=', 1)
    ) AS command
FROM pg_db_role_setting AS s
LEFT JOIN pg_roles AS r ON s.setrole = r.oid
LEFT JOIN pg_database AS d ON s.setdatabase = d.oid
CROSS JOIN LATERAL unnest(s.setconfig) AS e (setting)
WHERE
    split_part(e.setting, '=', 1) IN (
        'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
        'transaction_timeout'
    )
    AND split_part(e.setting, '=', 2) NOT IN ('0', '')
    AND (d.datname IS NULL OR d.datname = current_database())
    AND (r.rolname IS NULL OR r.rolname = current_user);
