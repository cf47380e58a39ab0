-- Triggers that keep the counters of social.users while an application follows and posts.
--
-- Parameters: the changed rows (transition tables added and removed)
-- Returns:    nothing
-- Writes:     social.users, the counters that are another number afterwards
-- Locks:      the rows of these users, in the order of their keys, so that two writers of one
--             statement each never deadlock here; held until the writer commits
-- Cost:       one set-based statement for each writing statement, not for each row
--
-- They run with the rights of whoever writes, who needs SELECT on social.users and UPDATE of its
-- counters. A session that loads in bulk may turn them off for itself, for the transaction or
-- longer: SET social.counting = off. After that, and after TRUNCATE, the counters are wrong until
-- the job has counted.

-- Adds to the counters. The arrays have the same length, or are null where nothing is added; a
-- user may come several times.
CREATE OR REPLACE PROCEDURE social.add_to_counters(
    concerned bigint[], more_followers bigint[], more_following bigint[], more_posts bigint[]
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT array_agg(c.user_id), array_agg(c.followers), array_agg(c.following), array_agg(c.posts)
    INTO concerned, more_followers, more_following, more_posts
    FROM (
        SELECT
            x.user_id, coalesce(sum(x.followers), 0)::bigint AS followers,
            coalesce(sum(x.following), 0)::bigint AS following,
            coalesce(sum(x.posts), 0)::bigint AS posts
        FROM unnest(concerned, more_followers, more_following, more_posts)
            AS x (user_id, followers, following, posts)
        GROUP BY x.user_id
        HAVING sum(x.followers) != 0 OR sum(x.following) != 0 OR sum(x.posts) != 0
    ) AS c;

    -- A statement of its own, so that the UPDATE below begins with all its rows locked.
    PERFORM FROM social.users AS u
    WHERE u.user_id = ANY (concerned)
    ORDER BY u.user_id
    FOR NO KEY UPDATE OF u;

    UPDATE social.users AS u
    SET followers_count = u.followers_count + c.followers,
        following_count = u.following_count + c.following,
        posts_count = u.posts_count + c.posts
    FROM unnest(concerned, more_followers, more_following, more_posts)
        AS c (user_id, followers, following, posts)
    WHERE u.user_id = c.user_id;
END
$$;

CREATE OR REPLACE FUNCTION social.count_follows() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint [];
    more_followers bigint [];
    more_following bigint [];
BEGIN
    IF tg_op IN ('INSERT', 'UPDATE') THEN
        SELECT array_agg(x.user_id), array_agg(x.followers), array_agg(x.following)
        INTO concerned, more_followers, more_following
        FROM (
            SELECT f.followed_id AS user_id, 1 AS followers, 0 AS following FROM added AS f
            UNION ALL
            SELECT f.follower_id, 0, 1 FROM added AS f
        ) AS x;
    END IF;
    IF tg_op IN ('DELETE', 'UPDATE') THEN
        SELECT
            concerned || array_agg(x.user_id), more_followers || array_agg(x.followers),
            more_following || array_agg(x.following)
        INTO concerned, more_followers, more_following
        FROM (
            SELECT f.followed_id AS user_id, -1::bigint AS followers, 0::bigint AS following
            FROM removed AS f
            UNION ALL
            SELECT f.follower_id, 0, -1 FROM removed AS f
        ) AS x;
    END IF;
    CALL social.add_to_counters(concerned, more_followers, more_following, NULL);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION social.count_posts() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint [];
    more_posts bigint [];
BEGIN
    IF tg_op IN ('INSERT', 'UPDATE') THEN
        SELECT array_agg(x.user_id), array_agg(x.posts) INTO concerned, more_posts
        FROM (SELECT p.user_id, count(*) AS posts FROM added AS p GROUP BY p.user_id) AS x;
    END IF;
    IF tg_op IN ('DELETE', 'UPDATE') THEN
        SELECT concerned || array_agg(x.user_id), more_posts || array_agg(x.posts)
        INTO concerned, more_posts
        FROM (SELECT p.user_id, -count(*) AS posts FROM removed AS p GROUP BY p.user_id) AS x;
    END IF;
    CALL social.add_to_counters(concerned, NULL, NULL, more_posts);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER count_insert
AFTER INSERT ON social.follows
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_follows();

CREATE OR REPLACE TRIGGER count_delete
AFTER DELETE ON social.follows
REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_follows();

CREATE OR REPLACE TRIGGER count_update
AFTER UPDATE ON social.follows
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_follows();

CREATE OR REPLACE TRIGGER count_insert
AFTER INSERT ON social.posts
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_posts();

CREATE OR REPLACE TRIGGER count_delete
AFTER DELETE ON social.posts
REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_posts();

CREATE OR REPLACE TRIGGER count_update
AFTER UPDATE ON social.posts
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT WHEN (current_setting('social.counting', TRUE) IS DISTINCT FROM 'off')
EXECUTE FUNCTION social.count_posts();
