-- How large the tables and indexes are that a year of cycles writes to.
--
-- Parameters: none
-- Returns:    relation, is_table, bytes (of a table with its TOAST and its indexes), dead_rows
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT
    format('%s.%s', CAST(c.relnamespace AS regnamespace), c.relname) AS relation,
    c.relkind = 'r' AS is_table,
    pg_total_relation_size(c.oid) AS bytes,
    coalesce(pg_stat_get_dead_tuples(c.oid), 0) AS dead_rows
FROM pg_class AS c
WHERE
    coalesce(
        (SELECT i.indrelid FROM pg_index AS i WHERE i.indexrelid = c.oid), c.oid
    ) IN (
        CAST('dwh.dimension_users' AS regclass), CAST('dwh.datamart_users' AS regclass),
        CAST('etl.attempt' AS regclass), CAST('etl.cycle' AS regclass),
        CAST('etl.held_item' AS regclass)
    )
ORDER BY 1;
