-- What a cycle would change: of each counter how many users have a wrong one, and one of them.
--
--   psql -v from_key=-9223372036854775807 -v to_key=9223372036854775806 -v counter= -f preview.sql
--
-- Parameters: :'from_key', :'to_key', :'counter'  as of prioritize.sql
-- Returns:    what (the counter), records, sample; no row for a counter of which none is wrong
-- Reads:      social.users; of social.follows and social.posts an index, between these keys
-- Locks:      none
-- Cost:       as verify.sql
SELECT
    s.kind || ' counters' AS what,
    count(*) AS records,
    (
        array_agg(
            format('user %s: %s_count %s -> %s', s.user_id, s.kind, s.number, coalesce(t.number, 0))
            ORDER BY s.user_id
        )
    )[1] AS sample
FROM social.stored_count AS s
LEFT JOIN social.true_count AS t
    ON
        s.kind = t.kind AND s.user_id = t.user_id
        AND t.user_id BETWEEN CAST(:'from_key' AS bigint) AND CAST(:'to_key' AS bigint)
WHERE
    CAST(:'counter' AS text) IN ('', s.kind)
    AND s.user_id BETWEEN CAST(:'from_key' AS bigint) AND CAST(:'to_key' AS bigint)
    AND s.number <> coalesce(t.number, 0)
GROUP BY s.kind
ORDER BY s.kind;
