-- What `etl demo` finds, and tells.
--
--   psql -f demo.sql
--
-- Parameters: none
-- Returns:    samples (users of sample.sql), others (any other: then there is no demo), told
-- Reads:      social.users, social.follows, social.posts
-- Locks:      none
-- Cost:       in proportion to the rows of the three
SELECT
    count(*) FILTER (WHERE starts_with(u.username, 'sample_')) AS samples,
    count(*) FILTER (WHERE NOT starts_with(u.username, 'sample_')) AS others,
    format(
        'There are %s users, who follow others %s times and have written %s posts.',
        to_char(count(*), 'FM999,999,990'),
        to_char((SELECT count(*) FROM social.follows), 'FM999,999,999,990'),
        to_char((SELECT count(*) FROM social.posts), 'FM999,999,999,990')
    ) AS told
FROM social.users AS u;
