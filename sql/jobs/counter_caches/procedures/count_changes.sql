-- Triggers that keep the counters of social.users while an application follows and posts.
--
-- Parameters: '1' or '-1': what a row of the transition table adds to a counter
-- Returns:    nothing
-- Writes:     social.users, the counters of the users concerned
-- Locks:      the rows of the users concerned, in the order of their keys, so that two writers
--             of one statement each never deadlock here; held until the writer commits
-- Cost:       one set-based statement for each writing statement, not for each row
--
-- They run with the rights of whoever writes, who needs SELECT on social.users and UPDATE of its
-- counters. A session that loads in bulk may turn them off for itself, for the transaction or
-- longer: SET social.counting = off. After that, and after TRUNCATE, the counters are wrong until
-- the job has counted.

CREATE OR REPLACE FUNCTION social.count_follows() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint [];
    followers bigint [];
    following bigint [];
BEGIN
    SELECT array_agg(c.user_id), array_agg(c.followers), array_agg(c.following)
    INTO concerned, followers, following
    FROM (
        SELECT x.user_id, sum(x.followers) AS followers, sum(x.following) AS following
        FROM (
            SELECT f.followed_id AS user_id, tg_argv[0]::integer AS followers, 0 AS following
            FROM changed AS f
            UNION ALL
            SELECT f.follower_id, 0, tg_argv[0]::integer FROM changed AS f
        ) AS x
        GROUP BY x.user_id
    ) AS c;

    -- A statement of its own, so that the UPDATE below begins with all its rows locked.
    PERFORM FROM social.users AS u
    WHERE u.user_id = ANY (concerned)
    ORDER BY u.user_id
    FOR NO KEY UPDATE OF u;

    UPDATE social.users AS u
    SET followers_count = u.followers_count + c.followers,
        following_count = u.following_count + c.following
    FROM unnest(concerned, followers, following) AS c (user_id, followers, following)
    WHERE u.user_id = c.user_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION social.count_posts() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint [];
    posts bigint [];
BEGIN
    SELECT array_agg(c.user_id), array_agg(c.posts) INTO concerned, posts
    FROM (
        SELECT p.user_id, tg_argv[0]::integer * count(*) AS posts
        FROM changed AS p
        GROUP BY p.user_id
    ) AS c;

    PERFORM FROM social.users AS u
    WHERE u.user_id = ANY (concerned)
    ORDER BY u.user_id
    FOR NO KEY UPDATE OF u;

    UPDATE social.users AS u
    SET posts_count = u.posts_count + c.posts
    FROM unnest(concerned, posts) AS c (user_id, posts)
    WHERE u.user_id = c.user_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER count_inserted
AFTER INSERT ON social.follows
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_follows('1');

CREATE OR REPLACE TRIGGER count_deleted
AFTER DELETE ON social.follows
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_follows('-1');

-- An UPDATE takes away what was and adds what is.
CREATE OR REPLACE TRIGGER count_before_update
AFTER UPDATE ON social.follows
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_follows('-1');

CREATE OR REPLACE TRIGGER count_after_update
AFTER UPDATE ON social.follows
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_follows('1');

CREATE OR REPLACE TRIGGER count_inserted
AFTER INSERT ON social.posts
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_posts('1');

CREATE OR REPLACE TRIGGER count_deleted
AFTER DELETE ON social.posts
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_posts('-1');

CREATE OR REPLACE TRIGGER count_before_update
AFTER UPDATE ON social.posts
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_posts('-1');

CREATE OR REPLACE TRIGGER count_after_update
AFTER UPDATE ON social.posts
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_posts('1');
