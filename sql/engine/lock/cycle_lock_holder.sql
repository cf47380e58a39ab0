-- Who runs the cycle of a job on this database.
--
-- Parameters: :'job'  name of the job
-- Returns:    pid, application_name, client address, connected since; or no row. The last
--             two are hidden from other roles that are not in pg_read_all_stats
-- Reads:      pg_locks, pg_stat_activity
-- Locks:      none
-- Cost:       constant
SELECT
    a.pid,
    a.application_name,
    CASE
        WHEN a.backend_start IS NULL THEN 'a host hidden from this role'
        ELSE coalesce(host(a.client_addr), 'this host')
    END AS client,
    coalesce(
        to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'a time hidden from this role'
    ) AS since
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON l.pid = a.pid
CROSS JOIN (SELECT hashtextextended('etl cycle ' || :'job', 0) AS key) AS k
WHERE
    l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
    AND CAST(CAST(l.classid AS bigint) << 32 | CAST(l.objid AS bigint) AS bigint) = k.key;
