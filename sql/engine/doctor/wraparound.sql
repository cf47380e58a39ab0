-- How near transaction ids, or those of groups that lock a row together, are to running out.
--
-- Parameters: :'share'  of the two billion that there are
-- Returns:    severity, what, why, command; one row for each kind of id, or none
-- Reads:      pg_database
-- Locks:      none
-- Cost:       constant
SELECT
    CASE WHEN i.age > 1500000000 THEN 'error' ELSE 'warning' END AS severity,
    format('the oldest %s of %s is %s old', i.kind, current_database(), i.age) AS what,
    'At two billion the server refuses to write. Autovacuum prevents that, unless something holds it up: an old '
    || 'transaction, a prepared one, a replication slot' AS why,
    'VACUUM (FREEZE, VERBOSE); -- when what holds it up is gone' AS command
FROM pg_database AS d
CROSS JOIN
    LATERAL (VALUES ('transaction id', age(d.datfrozenxid)), ('multixact id', mxid_age(d.datminmxid))) AS i (kind, age)
WHERE
    d.datname = current_database()
    AND i.age > CAST(:'share' AS double precision) * 2000000000
ORDER BY i.kind;
