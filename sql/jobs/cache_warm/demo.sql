-- What `etl demo` finds, and tells.
--
--   psql -f demo.sql
--
-- Parameters: none
-- Returns:    samples (entries of sample.sql), others (any other: then there is no demo), told
-- Reads:      cache.entries, cache.topics, cache.tags
-- Locks:      none
-- Cost:       in proportion to the entries
SELECT
    count(*) FILTER (WHERE e.entry_id < 0) AS samples,
    count(*) FILTER (WHERE e.entry_id >= 0) AS others,
    format(
        'There are %s entries about %s topics, with %s tags.', to_char(count(*), 'FM999,999,990'),
        (SELECT count(*) FROM cache.topics), (SELECT count(*) FROM cache.tags)
    ) AS told
FROM cache.entries AS e;
