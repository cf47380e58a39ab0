-- social.count_users(kind, first_key, last_key): counts one counter of a range of users, and
-- writes those that are wrong.
--
-- Parameters: kind       followers, following or posts
--             first_key, last_key  social.users.user_id
-- Returns:    nothing. 55P03: somebody else has held a user's row for 200 ms; nothing is changed
-- Reads:      social.users; an index of social.follows or social.posts
-- Writes:     social.users: the one counter, of the users where it is wrong
-- Locks:      the row of each of these users, from its own write until the transaction ends.
--             Readers never wait, writers only for these rows
-- Cost:       for 10,000 users and 94,000 followers 13 ms where all are right, 43 ms where all are
--             wrong. Idempotent
--
-- No change is lost, as long as whoever changes follows or posts also changes the counters in the
-- same transaction, as the triggers of count_changes.sql do: so each change that counts makes a
-- new version of the user's row (its xmin). One statement counts everybody and writes the wrong
-- ones. Its one snapshot has a change and its counting, or neither; nobody is wrong just because
-- a change is under way. Between this snapshot and the write of a row there are two cases:
--
--   same version  nobody has counted a change since: the number is right, and is written. Whoever
--                 counts one later waits for this row, and then adds to what has been written.
--   a new one     the number may be old, and is not written. These users, a few, are locked and
--                 counted again by a second statement. Its snapshot (READ COMMITTED) is younger
--                 than the locks, so it has every change that has been counted by then; all
--                 others have yet to be counted, and wait for the lock.
--
-- Without the version updates are lost: an UPDATE that has counted and then waits for a row that
-- a trigger changes would go on with its old number, for PostgreSQL reads only the row again. The
-- list of the wrong is MATERIALIZED because nobody may leave it meanwhile: else a wrong counter
-- that a change happens to move to the old number would be left out, and stay wrong. To lock
-- all the wrong ones first, and then count, is as safe: 1,091,000 users took 24 s where this took 16.
--
-- The backfill gives way, never the application. Two transactions that hold rows which the other
-- one wants would wait for ever; the server looks for that after deadlock_timeout (1s) and ends
-- one of the two. Long before that this procedure has given up, and let go of all its rows.
--
-- Planned anew each time: a plan for any range would not know how many users there are in this
-- one, and would read all three parts of social.true_count.
CREATE OR REPLACE PROCEDURE social.count_users(kind text, first_key bigint, last_key bigint)
LANGUAGE plpgsql
SET lock_timeout = '200ms'
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    changed bigint [];
BEGIN
    IF count_users.kind NOT IN ('followers', 'following', 'posts') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('no counter is called %L', count_users.kind);
    END IF;

    WITH wrong AS MATERIALIZED (
        SELECT u.user_id, u.xmin AS version, coalesce(t.number, 0) AS number
        FROM social.users AS u
        LEFT JOIN social.true_count AS t
            ON t.kind = count_users.kind AND t.user_id BETWEEN first_key AND last_key
            AND t.user_id = u.user_id
        WHERE u.user_id BETWEEN first_key AND last_key
            AND coalesce(t.number, 0) != CASE count_users.kind
                WHEN 'followers' THEN u.followers_count
                WHEN 'following' THEN u.following_count
                ELSE u.posts_count
            END
    ),

    written AS (
        UPDATE social.users AS u
        SET followers_count = CASE count_users.kind WHEN 'followers' THEN w.number ELSE u.followers_count END,
            following_count = CASE count_users.kind WHEN 'following' THEN w.number ELSE u.following_count END,
            posts_count = CASE count_users.kind WHEN 'posts' THEN w.number ELSE u.posts_count END
        FROM wrong AS w
        WHERE u.user_id = w.user_id AND u.xmin = w.version
            AND u.user_id BETWEEN first_key AND last_key
        RETURNING u.user_id
    )

    SELECT array_agg(w.user_id) INTO changed
    FROM wrong AS w
    WHERE NOT EXISTS (SELECT FROM written AS r WHERE r.user_id = w.user_id);

    IF changed IS NULL THEN
        RETURN;
    END IF;

    -- PostgreSQL has locked them already, when it found the new version; but that is nowhere promised.
    PERFORM FROM social.users AS u
    WHERE u.user_id = ANY (changed)
    ORDER BY u.user_id
    FOR NO KEY UPDATE OF u;

    UPDATE social.users AS u
    SET followers_count = CASE count_users.kind WHEN 'followers' THEN c.number ELSE u.followers_count END,
        following_count = CASE count_users.kind WHEN 'following' THEN c.number ELSE u.following_count END,
        posts_count = CASE count_users.kind WHEN 'posts' THEN c.number ELSE u.posts_count END
    FROM (
        SELECT w.user_id, coalesce(t.number, 0) AS number
        FROM unnest(changed) AS w (user_id)
        LEFT JOIN social.true_count AS t
            ON t.kind = count_users.kind AND t.user_id = ANY (changed) AND t.user_id = w.user_id
    ) AS c
    WHERE u.user_id = c.user_id;
END
$$;
