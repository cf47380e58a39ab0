-- What this role may not do in the ledger, and a cycle does.
--
-- Parameters: none
-- Returns:    severity, what, why, command; the first that is missing, or no row
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT
    'note' AS severity,
    format('the role %s may not %s %s', current_user, p.privilege, p.relation) AS what,
    'It can ask, but run no cycle' AS why,
    CASE
        WHEN to_regrole('etl_runner') IS NOT NULL THEN format('GRANT etl_runner TO %I;', current_user)
        ELSE format('GRANT %s ON %s TO %I;', p.privilege, p.relation, current_user)
    END AS command
FROM (
    VALUES ('INSERT', 'etl.cycle'), ('INSERT', 'etl.attempt'), ('INSERT', 'etl.held_item'), ('SELECT', 'etl.control')
) AS p (privilege, relation)
WHERE NOT has_table_privilege(p.relation, p.privilege)
ORDER BY p.relation
LIMIT 1;
