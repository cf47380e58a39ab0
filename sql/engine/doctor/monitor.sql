-- Whether this role sees what the other checks ask for.
--
-- Parameters: none
-- Returns:    severity, what, why, command; one row, or none
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT
    'note' AS severity,
    format('what other roles'' sessions do is hidden from %s', current_user) AS what,
    'Their old transactions, their statements and the replicas are not seen by the checks' AS why,
    format('GRANT pg_monitor TO %I;', current_user) AS command
WHERE NOT pg_has_role(current_user, 'pg_monitor', 'USAGE');
