-- How many bytes a row takes, of each table of a schema: alone, and with its indexes and TOAST.
--
--   psql -v schema=dwh -f bytes_per_row.sql
--
-- Parameters: :'schema'
-- Returns:    table_name, rows (as last counted by ANALYZE), table_bytes (of a row in the table,
--             free space within pages counted), index_bytes (in all indexes), total_bytes (with
--             what is stored beside the table)
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT
    c.relname AS table_name,
    CAST(c.reltuples AS bigint) AS rows,
    round(CAST(pg_relation_size(c.oid) / c.reltuples AS numeric), 1) AS table_bytes,
    round(CAST(pg_indexes_size(c.oid) / c.reltuples AS numeric), 1) AS index_bytes,
    round(CAST(pg_total_relation_size(c.oid) / c.reltuples AS numeric), 1) AS total_bytes
FROM pg_class AS c
WHERE
    c.relnamespace = CAST(:'schema' AS regnamespace) AND c.relkind = 'r' AND c.reltuples > 0
ORDER BY pg_total_relation_size(c.oid) DESC;
