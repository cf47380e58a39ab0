-- Large tables that are empty for the most part, measured.
--
-- Parameters: :'bloat_bytes'  tables at least that large
--             :'bloat_share'  of their pages, from then on it matters
-- Returns:    severity, what, why, command; one row for each
-- Reads:      the pages of these tables that are not known to be all visible
-- Locks:      none that anybody else waits for
-- Cost:       in proportion to what has changed of the ten largest since the last vacuum
SELECT
    'warning' AS severity,
    format(
        '%s of the %s of %s are empty or dead, measured', pg_size_pretty(CAST(
            (m.approx_free_percent + m.dead_tuple_percent) / 100 * m.table_len AS bigint
        )), pg_size_pretty(m.table_len), CAST(c.oid AS regclass)
    ) AS what,
    'Whoever reads all of it reads that, too. New rows fill it again; it matters where none come' AS why,
    format('VACUUM (FULL, ANALYZE) %s; -- locks it meanwhile; pg_repack does not', CAST(c.oid AS regclass)) AS command
FROM (
    SELECT t.oid
    FROM pg_class AS t
    WHERE
        t.relkind IN ('r', 'm') AND t.relpersistence != 't'
        AND t.relnamespace NOT IN (CAST('pg_catalog' AS regnamespace), CAST('information_schema' AS regnamespace))
        AND pg_table_size(t.oid) >= CAST(:'bloat_bytes' AS bigint)
    ORDER BY t.relpages DESC
    LIMIT 10
) AS c
CROSS JOIN LATERAL pgstattuple_approx(c.oid) AS m
WHERE m.approx_free_percent + m.dead_tuple_percent > 100 * CAST(:'bloat_share' AS double precision)
ORDER BY c.oid;
