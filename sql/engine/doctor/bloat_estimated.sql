-- Large tables that seem to be empty for the most part, from the statistics of their columns.
--
-- Parameters: :'bloat_bytes'  tables at least that large
--             :'bloat_share'  of their pages, from then on it matters
-- Returns:    severity, what, why, command; one row for each
-- Reads:      pg_class, pg_stats: only tables that this role may read
-- Locks:      none
-- Cost:       in proportion to the columns
--
-- A row takes 24 bytes and 4 for its place, and its columns on average; what alignment adds is not
-- counted. Pages filled as the table's fillfactor says are full.
SELECT
    'note' AS severity,
    format(
        'about %s of the %s of %s are empty or dead, an estimate', pg_size_pretty(CAST(e.bytes - e.needed AS bigint)),
        pg_size_pretty(e.bytes), CAST(e.oid AS regclass)
    ) AS what,
    'Whoever reads all of it reads that, too. pgstattuple measures it: CREATE EXTENSION pgstattuple' AS why,
    format('VACUUM (FULL, ANALYZE) %s; -- locks it meanwhile; pg_repack does not', CAST(e.oid AS regclass)) AS command
FROM (
    SELECT
        c.oid,
        pg_relation_size(c.oid) AS bytes,
        c.reltuples * (28 + w.width) * 100 / coalesce(f.fillfactor, 100) AS needed
    FROM pg_class AS c
    JOIN pg_namespace AS n ON c.relnamespace = n.oid
    CROSS JOIN
        LATERAL (
            SELECT sum((1 - s.null_frac) * s.avg_width) AS width, count(*) AS columns
            FROM pg_stats AS s
            WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited
        ) AS w
    LEFT JOIN LATERAL (
        SELECT CAST(o.option_value AS integer) AS fillfactor
        FROM pg_options_to_table(c.reloptions) AS o WHERE o.option_name = 'fillfactor'
    ) AS f ON TRUE
    WHERE
        c.relkind IN ('r', 'm') AND c.relpersistence != 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.reltuples >= 0
        AND w.columns = (
            SELECT count(*) FROM pg_attribute AS a
            WHERE c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped
        )
) AS e
WHERE
    e.bytes >= CAST(:'bloat_bytes' AS bigint)
    AND e.needed < (1 - CAST(:'bloat_share' AS double precision)) * e.bytes
ORDER BY e.bytes DESC, e.oid ASC;
