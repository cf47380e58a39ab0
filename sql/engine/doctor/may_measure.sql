-- Whether this role can measure how much of a table is empty: pgstattuple is installed, and it may.
--
-- Parameters: none
-- Returns:    one row, true or false
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT exists(
    SELECT FROM pg_proc AS p
    WHERE
        p.proname = 'pgstattuple_approx' AND pg_function_is_visible(p.oid)
        AND has_function_privilege(p.oid, 'EXECUTE')
);
