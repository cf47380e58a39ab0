-- social.stored_count, social.true_count: what the counters say, and what is so.
--
-- Parameters: none; ask for one kind and for a range of user_id
-- Returns:    stored_count  kind, user_id, number: a row for each counter of each user
--             true_count    kind, user_id, number: the same counted, without a row where it is 0
-- Reads:      of the kind asked for, and no other: social.users; an index of social.follows or
--             social.posts
-- Locks:      none
-- Cost:       in proportion to the rows of these users: 0.1 us each
--
-- A kind and a range that are constants when the statement is planned reach into the views: two
-- of the three parts are dropped, and of the third only the range is read.
CREATE OR REPLACE VIEW social.stored_count AS
SELECT 'followers' AS kind, u.user_id, u.followers_count AS number FROM social.users AS u
UNION ALL
SELECT 'following' AS kind, u.user_id, u.following_count AS number FROM social.users AS u
UNION ALL
SELECT 'posts' AS kind, u.user_id, u.posts_count AS number FROM social.users AS u;

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
