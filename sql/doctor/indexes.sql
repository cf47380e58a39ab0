-- Indexes that are invalid, and large ones that nobody has used.
--
-- Parameters: :'unused_bytes'  unused ones at least that large
-- Returns:    severity, what, why, command; one row for each
-- Reads:      the catalogue, pg_stat_user_indexes
-- Locks:      none
-- Cost:       in proportion to the indexes
SELECT
    'error' AS severity,
    format('the index %s is invalid', CAST(i.indexrelid AS regclass)) AS what,
    'It was cut off while it was built: no query uses it, every write keeps it up to date' AS why,
    format('REINDEX INDEX CONCURRENTLY %s;', CAST(i.indexrelid AS regclass)) AS command
FROM pg_index AS i
JOIN pg_class AS c ON i.indexrelid = c.oid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT c.relispartition
UNION ALL
SELECT
    'note' AS severity,
    format(
        'the index %s (%s) was never used since %s', CAST(s.indexrelid AS regclass),
        pg_size_pretty(pg_relation_size(s.indexrelid)),
        coalesce(CAST(date_trunc('day', d.stats_reset) AS text), 'the beginning of the statistics')
    ) AS what,
    'Every write keeps it up to date. Replicas count for themselves: ask them, too' AS why,
    format('DROP INDEX CONCURRENTLY %s;', CAST(s.indexrelid AS regclass)) AS command
FROM pg_stat_user_indexes AS s
JOIN pg_index AS i ON s.indexrelid = i.indexrelid
JOIN pg_stat_database AS d ON d.datname = current_database()
WHERE
    s.idx_scan = 0 AND NOT i.indisunique AND i.indisvalid
    AND pg_relation_size(s.indexrelid) >= CAST(:'unused_bytes' AS bigint);
