-- How near transaction ids are to running out.
--
-- Parameters: :'share'  of the two billion that there are
-- Returns:    severity, what, why, command; one row, or none
-- Reads:      pg_database
-- Locks:      none
-- Cost:       constant
SELECT
    CASE WHEN age(d.datfrozenxid) > 1500000000 THEN 'error' ELSE 'warning' END AS severity,
    format('the oldest transaction id of %s is %s transactions old', d.datname, age(d.datfrozenxid)) AS what,
    'At two billion the server refuses to write. Autovacuum prevents that, unless something holds it up: an old '
    || 'transaction, a prepared one, a replication slot' AS why,
    'VACUUM (FREEZE, VERBOSE); -- when what holds it up is gone' AS command
FROM pg_database AS d
WHERE
    d.datname = current_database()
    AND age(d.datfrozenxid) > CAST(:'share' AS double precision) * 2000000000;
