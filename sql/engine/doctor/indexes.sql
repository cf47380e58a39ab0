-- Indexes that are invalid, and large ones that nobody has used.
--
-- Parameters: :'unused_bytes'  unused ones at least that large
--             :'counted_s'     where uses have been counted for that long, seconds
-- Returns:    severity, what, why, command; one row for each
-- Reads:      the catalogue, pg_stat_user_indexes, pg_stat_database, pg_locks
-- Locks:      none; waits for whoever locks an index
-- Cost:       in proportion to the indexes
--
-- An index is invalid while it is built, too. Whoever builds one concurrently holds a lock on its
-- table that only a vacuum or another such command also takes, and that all roles see.
SELECT
    CASE WHEN b.is_at_work THEN 'note' ELSE 'error' END AS severity,
    format('the index %s is invalid', CAST(i.indexrelid AS regclass))
    || CASE WHEN b.is_at_work THEN '; somebody is at work on its table' ELSE '' END AS what,
    CASE
        WHEN b.is_at_work THEN 'It may be just being built: look again when that has ended'
        ELSE 'It was cut off while it was built: no query uses it, every write keeps it up to date'
    END AS why,
    CASE
        WHEN b.is_at_work THEN 'SELECT pid, phase, blocks_done, blocks_total FROM pg_stat_progress_create_index;'
        -- What REINDEX CONCURRENTLY leaves is a copy: the manual says to drop it.
        WHEN c.relname ~ '_cc(new|old)[0-9]*$'
            THEN format('DROP INDEX %s%s;', t.how, CAST(i.indexrelid AS regclass))
        ELSE format('REINDEX INDEX %s%s;', t.how, CAST(i.indexrelid AS regclass))
    END AS command
FROM pg_index AS i
JOIN pg_class AS c ON i.indexrelid = c.oid
CROSS JOIN
    LATERAL (
        SELECT exists(
            SELECT FROM pg_locks AS l
            WHERE
                l.granted AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock'
                AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
        ) AS is_at_work
    ) AS b
CROSS JOIN
    LATERAL (
        SELECT CASE WHEN c.relnamespace = CAST('pg_toast' AS regnamespace) THEN '' ELSE 'CONCURRENTLY ' END AS how
    ) AS t
WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT c.relispartition
UNION ALL
SELECT
    'note' AS severity,
    format(
        'the index %s (%s) was never used since %s', CAST(s.indexrelid AS regclass),
        pg_size_pretty(pg_relation_size(s.indexrelid)), to_char(k.since AT TIME ZONE 'UTC', 'YYYY-MM-DD')
    ) AS what,
    'Every write keeps it up to date. Replicas count for themselves: ask them, too' AS why,
    format('DROP INDEX CONCURRENTLY %s;', CAST(s.indexrelid AS regclass)) AS command
FROM pg_stat_user_indexes AS s
JOIN pg_index AS i ON s.indexrelid = i.indexrelid
JOIN pg_stat_database AS d ON d.datname = current_database()
-- Without a reset, uses are counted for as long as the server is up at least.
CROSS JOIN LATERAL (SELECT coalesce(d.stats_reset, pg_postmaster_start_time()) AS since) AS k
WHERE
    s.idx_scan = 0 AND i.indisvalid
    AND NOT (i.indisunique OR i.indisexclusion OR i.indisreplident OR i.indisclustered)
    AND k.since <= clock_timestamp() - CAST(:'counted_s' AS double precision) * interval '1 s'
    AND pg_relation_size(s.indexrelid) >= CAST(:'unused_bytes' AS bigint)
ORDER BY severity ASC, what ASC;
