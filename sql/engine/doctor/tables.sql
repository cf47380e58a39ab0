-- Tables without statistics or with old ones, with many dead rows, or left out by autovacuum.
--
-- Parameters: :'least_rows'  smaller tables do not matter
-- Returns:    severity, what, why, command; one row for each
-- Reads:      pg_stat_user_tables, pg_class
-- Locks:      none
-- Cost:       in proportion to the tables
SELECT f.severity, f.what, f.why, f.command
FROM pg_stat_user_tables AS t
JOIN pg_class AS c ON t.relid = c.oid
CROSS JOIN
    LATERAL (
        SELECT
            'warning' AS severity,
            format('%s was never analyzed and has about %s rows', CAST(t.relid AS regclass), t.n_live_tup) AS what,
            'The planner guesses how many rows a query reads' AS why,
            format('ANALYZE %s;', CAST(t.relid AS regclass)) AS command
        WHERE c.reltuples < 0 AND t.n_live_tup >= CAST(:'least_rows' AS bigint)
        UNION ALL
        SELECT
            'warning' AS severity,
            format(
                '%s rows of %s have changed since it was analyzed, of about %s', t.n_mod_since_analyze,
                CAST(t.relid AS regclass), t.n_live_tup
            ) AS what,
            'The planner works with old statistics; autovacuum would have come at a tenth' AS why,
            format('ANALYZE %s;', CAST(t.relid AS regclass)) AS command
        WHERE
            c.reltuples >= 0 AND t.n_mod_since_analyze >= CAST(:'least_rows' AS bigint)
            AND t.n_mod_since_analyze > 0.3 * t.n_live_tup
        UNION ALL
        SELECT
            'warning' AS severity,
            format(
                '%s has about %s dead rows beside %s live ones (%s in all; an estimate)', CAST(t.relid AS regclass),
                t.n_dead_tup, t.n_live_tup, pg_size_pretty(pg_total_relation_size(t.relid))
            ) AS what,
            'Queries read past them; the table is larger than it need be' AS why,
            format('VACUUM %s;', CAST(t.relid AS regclass)) AS command
        WHERE t.n_dead_tup >= CAST(:'least_rows' AS bigint) AND t.n_dead_tup > 0.5 * t.n_live_tup
        UNION ALL
        SELECT
            'warning' AS severity,
            format('autovacuum leaves %s out', CAST(t.relid AS regclass)) AS what,
            'Nobody removes its dead rows or keeps its statistics up to date' AS why,
            format('ALTER TABLE %s RESET (autovacuum_enabled);', CAST(t.relid AS regclass)) AS command
        WHERE 'autovacuum_enabled=false' = any(c.reloptions) OR 'autovacuum_enabled=off' = any(c.reloptions)
    ) AS f
ORDER BY f.what;
