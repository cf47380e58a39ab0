-- How many users are still to be counted in this round, by counter.
--
--   psql -v round=0 -v from_key=-9223372036854775807 -v to_key=9223372036854775806 \
--        -v counter= -v now=2026-01-16T03:00Z -f backlog.sql
--
-- Parameters: as of prioritize.sql
-- Returns:    level, items (users), oldest_dirty_at: null, nothing says since when a counter is
--             wrong; levels as in prioritize.sql
-- Reads:      what prioritize.sql reads
-- Locks:      none
-- Cost:       0.4 s for 1,091,000 users, all three counters
SELECT
    c.level,
    count(*) AS items,
    CAST(NULL AS timestamptz) AS oldest_dirty_at
FROM (VALUES (1, 'followers'), (2, 'following'), (3, 'posts')) AS c (level, kind)
CROSS JOIN
    LATERAL etl.keys_left(
        'counter_caches', CAST(:round AS integer), c.kind,
        CAST(:'from_key' AS bigint), CAST(:'to_key' AS bigint), CAST(:'now' AS timestamptz)
    ) AS s
INNER JOIN social.users AS u ON u.user_id BETWEEN s.first_key AND s.last_key
WHERE CAST(:'counter' AS text) IN ('', c.kind)
GROUP BY c.level
ORDER BY c.level;
