-- Whether a cycle gets the connections that it takes.
--
-- Parameters: :'needed'  connections that a cycle takes
-- Returns:    severity, what, why, command; one row for each limit that is too near
-- Reads:      pg_stat_activity, pg_roles, pg_database
-- Locks:      none
-- Cost:       in proportion to the sessions
--
-- Of the sessions of other roles, who is no member of pg_monitor sees role and database, not the
-- kind: those of a database count.
WITH session AS (
    SELECT a.usesysid, a.datname
    FROM pg_stat_activity AS a
    WHERE coalesce(a.backend_type, 'client backend') = 'client backend' AND a.datid IS NOT NULL
),

room AS (
    SELECT
        format('max_connections is %s', current_setting('max_connections')) AS rule,
        CAST(current_setting('max_connections') AS integer)
        - CAST(current_setting('superuser_reserved_connections') AS integer)
        - coalesce(CAST(current_setting('reserved_connections', TRUE) AS integer), 0)
        - (SELECT count(*) FROM session) AS free,
        format('ALTER SYSTEM SET max_connections = %s; -- and restart the server', 2 * CAST(
            current_setting('max_connections') AS integer
        )) AS command
    UNION ALL
    SELECT
        format('role %s may have %s connections', r.rolname, r.rolconnlimit) AS rule,
        r.rolconnlimit - (SELECT count(*) FROM session AS s WHERE s.usesysid = r.oid) AS free,
        format('ALTER ROLE %I CONNECTION LIMIT -1;', r.rolname) AS command
    FROM pg_roles AS r
    WHERE r.rolname = session_user AND r.rolconnlimit >= 0 AND NOT r.rolsuper
    UNION ALL
    SELECT
        format('database %s takes %s connections', d.datname, d.datconnlimit) AS rule,
        d.datconnlimit - (SELECT count(*) FROM session AS s WHERE s.datname = d.datname) AS free,
        format('ALTER DATABASE %I CONNECTION LIMIT -1;', d.datname) AS command
    FROM pg_database AS d
    WHERE d.datname = current_database() AND d.datconnlimit >= 0
)

SELECT
    'warning' AS severity,
    format('%s; %s are free', r.rule, greatest(r.free, 0)) AS what,
    format('A cycle here takes %s: its workers and their supervisor', :'needed') AS why,
    r.command
FROM room AS r
-- This session is one of them, and gone when a cycle begins.
WHERE r.free + 1 < CAST(:'needed' AS integer);
