-- What a cycle would change: of each counter how many users have a wrong one, and one of them.
--
--   psql -v from_key=-9223372036854775807 -v to_key=9223372036854775806 -v counter= -f preview.sql
--
-- Parameters: :'from_key', :'to_key', :'counter'  as of prioritize.sql
-- Returns:    what (the counter), records, sample; no row for a counter of which none is wrong
-- Reads:      social.users; of social.follows and social.posts an index, between these keys
-- Locks:      none
-- Cost:       6 s for 1,091,000 users, all of whose counters are wrong
WITH wrong AS (
    SELECT
        c.kind,
        count(*) AS records,
        min(ARRAY[u.user_id, c.number, coalesce(t.number, 0)]) AS sample -- the first user's
    FROM social.users AS u
    CROSS JOIN
        LATERAL (
            VALUES ('followers', u.followers_count), ('following', u.following_count), ('posts', u.posts_count)
        ) AS c (kind, number)
    LEFT JOIN social.true_count AS t
        ON
            c.kind = t.kind AND u.user_id = t.user_id
            AND t.user_id BETWEEN CAST(:'from_key' AS bigint) AND CAST(:'to_key' AS bigint)
    WHERE
        CAST(:'counter' AS text) IN ('', c.kind)
        AND u.user_id BETWEEN CAST(:'from_key' AS bigint) AND CAST(:'to_key' AS bigint)
        AND c.number <> coalesce(t.number, 0)
    GROUP BY c.kind
)

SELECT
    w.kind || ' counters' AS what,
    w.records,
    format('user %s: %s_count %s -> %s', w.sample[1], w.kind, w.sample[2], w.sample[3]) AS sample
FROM wrong AS w
ORDER BY w.kind;
