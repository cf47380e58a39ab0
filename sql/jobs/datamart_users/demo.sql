-- What `etl demo` finds, and tells.
--
--   psql -f demo.sql
--
-- Parameters: none
-- Returns:    samples (users of sample.sql), others (any other: then there is no demo), told
-- Reads:      dwh.dimension_users, dwh.facts
-- Locks:      none
-- Cost:       in proportion to users and facts
SELECT
    count(*) FILTER (WHERE starts_with(u.username, 'sample_')) AS samples,
    count(*) FILTER (WHERE NOT starts_with(u.username, 'sample_')) AS others,
    format(
        'The warehouse has %s users and %s facts.', to_char(count(*), 'FM999,999,990'),
        to_char((SELECT count(*) FROM dwh.facts), 'FM999,999,999,990')
    ) AS told
FROM dwh.dimension_users AS u;
