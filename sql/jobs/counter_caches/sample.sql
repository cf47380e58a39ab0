-- Sample users who follow each other and post, few of them most; the counters stay 0, as after
-- a load in bulk. The same numbers give the same users.
--
--   psql -1 -v scale=20000 -f sample.sql
--
-- Parameters: :scale  number of users; about 9 follows and 5 posts each on the average
-- Returns:    nothing of interest
-- Writes:     social.users, social.follows, social.posts
-- Locks:      the rows written
-- Cost:       85 s for 1,091,000 users, 0.9 s for 20,000; run it in one transaction
--
-- Every hundredth user_id is left out, as where users have been deleted.
SELECT set_config('social.counting', 'off', TRUE);

SELECT set_config('work_mem', '256MB', TRUE);

SELECT setseed(0.42);

INSERT INTO social.users (user_id, username)
SELECT 1 + i + i / 99, format('sample_%s', i)
FROM generate_series(0, CAST(:scale AS bigint) - 1) AS i;

SELECT setval(pg_get_serial_sequence('social.users', 'user_id'), max(u.user_id)) FROM social.users AS u;

-- Number n of the sequence of users is multiplied into another place, so that the popular ones
-- are not neighbours: a prime scatters them. A power of a random number is skewed.
INSERT INTO social.follows (follower_id, followed_id)
SELECT DISTINCT 1 + x.follower + x.follower / 99, 1 + x.followed + x.followed / 99
FROM (
    SELECT
        CAST(floor(CAST(:scale AS bigint) * random() ^ 2) AS bigint) * 7919 % CAST(:scale AS bigint) AS follower,
        CAST(floor(CAST(:scale AS bigint) * random() ^ 3) AS bigint) * 104729 % CAST(:scale AS bigint) AS followed
    FROM generate_series(1, CAST(:scale AS bigint) * 95 / 10)
) AS x
WHERE x.follower <> x.followed
ORDER BY 1, 2;

INSERT INTO social.posts (user_id, body)
SELECT 1 + x.author + x.author / 99, 'sample'
FROM (
    SELECT
        CAST(floor(CAST(:scale AS bigint) * random() ^ 3) AS bigint) * 7919 % CAST(:scale AS bigint) AS author
    FROM generate_series(1, CAST(:scale AS bigint) * 46 / 10)
) AS x;
