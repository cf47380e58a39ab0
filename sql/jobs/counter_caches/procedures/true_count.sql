-- social.true_count: how many followers, following and posts a user really has.
--
-- Parameters: none; ask for one kind, and for a user_id or a range of them
-- Returns:    kind, user_id, number; no row where it is 0
-- Reads:      of the kind asked for, and no other, an index of social.follows or social.posts
-- Locks:      none
-- Cost:       in proportion to the rows of these users, about 0.1 us each
--
-- A kind and a range that are constants when the statement is planned reach into the view: two
-- of its three parts are dropped, and of the third only the range is read.
CREATE OR REPLACE VIEW social.true_count AS
SELECT 'followers' AS kind, f.followed_id AS user_id, count(*) AS number
FROM social.follows AS f
GROUP BY f.followed_id
UNION ALL
SELECT 'following' AS kind, f.follower_id AS user_id, count(*) AS number
FROM social.follows AS f
GROUP BY f.follower_id
UNION ALL
SELECT 'posts' AS kind, p.user_id, count(*) AS number
FROM social.posts AS p
GROUP BY p.user_id;
