-- The server: its version, whether it can be written, and settings that endanger data.
--
-- Parameters: :'today'  the day that counts as today, UTC
-- Returns:    severity, what, why, command; one row for each
-- Reads:      pg_settings
-- Locks:      none
-- Cost:       constant
--
-- The last days: PostgreSQL's versioning policy, https://www.postgresql.org/support/versioning/
SELECT
    'error' AS severity,
    format('the server is PostgreSQL %s', current_setting('server_version')) AS what,
    'etl is made for 15 and newer, and tested on 15 and 18' AS why,
    'pg_upgrade to a supported version' AS command
WHERE CAST(current_setting('server_version_num') AS integer) < 150000
UNION ALL
SELECT
    CASE WHEN v.last_day < CAST(:'today' AS date) THEN 'warning' ELSE 'note' END AS severity,
    format(
        'PostgreSQL %s %s its last release on %s', v.major,
        CASE WHEN v.last_day < CAST(:'today' AS date) THEN 'had' ELSE 'will have' END, v.last_day
    ) AS what,
    'Then no fault is mended any more, and no hole closed' AS why,
    'pg_upgrade to a newer version' AS command
FROM (
    VALUES (15, date '2027-11-11'), (16, date '2028-11-09'), (17, date '2029-11-08'), (18, date '2030-11-14')
) AS v (major, last_day)
WHERE
    v.major = CAST(current_setting('server_version_num') AS integer) / 10000
    AND v.last_day < CAST(:'today' AS date) + 180
UNION ALL
SELECT
    'error' AS severity,
    'the server is a standby' AS what,
    'It can be asked, but no cycle can write here' AS why,
    'Connect to the primary: host=first,second target_session_attrs=read-write finds it' AS command
WHERE pg_is_in_recovery()
UNION ALL
SELECT
    'error' AS severity,
    format('sessions of %s only read in %s', current_user, current_database()) AS what,
    'No cycle can write' AS why,
    format(
        'ALTER ROLE %I IN DATABASE %I SET default_transaction_read_only = off;', current_user, current_database()
    ) AS command
FROM pg_settings AS s
WHERE s.name = 'default_transaction_read_only' AND s.reset_val = 'on'
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
    'track_counts is off' AS what,
    'Autovacuum does not know where to go, and the checks of tables and indexes see nothing' AS why,
    'ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf();' AS command
WHERE current_setting('track_counts') = 'off'
UNION ALL
SELECT
    'note' AS severity,
    'synchronous_commit is off for everybody' AS what,
    'A crash of the server can lose loads that were told to be committed; cycles notice it, loaders do not' AS why,
    'ALTER SYSTEM RESET synchronous_commit; SELECT pg_reload_conf();' AS command
FROM pg_settings AS s
WHERE s.name = 'synchronous_commit' AND s.reset_val = 'off';
