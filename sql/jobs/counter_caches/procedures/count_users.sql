-- social.count_users(kind, first_key, last_key): counts one counter of a range of users, and
-- writes those that are wrong.
--
-- Parameters: kind       followers, following or posts
--             first_key, last_key  social.users.user_id
-- Returns:    nothing. 55P03: somebody else has held a user's row for 200 ms; nothing is changed
-- Reads:      social.users; an index of social.follows or social.posts
-- Writes:     social.users: the one counter, of the users where it is wrong
-- Locks:      the rows of these users, in the order of their keys, from just before they are
--             counted again until the transaction ends. Readers never wait, writers only for these
-- Cost:       for 10,000 users with 92,000 followers: see docs/counter-caches.md. Idempotent
--
-- No change is lost, as long as whoever changes follows or posts also changes the counters in the
-- same transaction, as the triggers of count_changes.sql do. It takes three statements, each
-- with a snapshot of its own (READ COMMITTED):
--
--   1 find   which counters are wrong. One snapshot has both a change and its counting or neither,
--            so nobody is found for a change that is under way.
--   2 lock   the rows of those users. Whoever has counted a change of them and not committed is
--            waited for; from now on nobody else can count one.
--   3 write  count these users again and store it. The snapshot is younger than the locks, so it
--            has every change that is in the counters by then. A change that it does not have
--            has yet to be counted: that waits for the lock, and adds to what is stored here.
--
-- Both simpler ways lose updates. UPDATE … FROM (SELECT count(*) …) alone counts, then waits
-- for a row that a trigger is changing, and overwrites it with the older number: PostgreSQL reads
-- only the row itself again. To find and lock in one statement is no better: a wrong counter that
-- is changed meanwhile is compared again, new counter against old count, and where these two happen
-- to be equal it is left out and stays wrong.
--
-- The backfill gives way, never the application. Two transactions that lock users in different
-- orders may wait for each other; the server looks for that after deadlock_timeout (1s) and ends
-- one of the two. This procedure has given up long before, and let go of all its rows.
--
-- Planned anew each time (0.5 ms): a plan for any range would not know how many users there are in
-- this one, and would read all three parts of the views.
CREATE OR REPLACE PROCEDURE social.count_users(kind text, first_key bigint, last_key bigint)
LANGUAGE plpgsql
SET lock_timeout = '200ms'
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    wrong bigint [];
BEGIN
    IF count_users.kind NOT IN ('followers', 'following', 'posts') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('no counter is called %L', count_users.kind);
    END IF;

    SELECT array_agg(s.user_id ORDER BY s.user_id) INTO wrong
    FROM social.stored_count AS s
    LEFT JOIN social.true_count AS t
        ON t.kind = count_users.kind AND t.user_id BETWEEN first_key AND last_key
        AND t.user_id = s.user_id
    WHERE s.kind = count_users.kind AND s.user_id BETWEEN first_key AND last_key
        AND s.number != coalesce(t.number, 0);
    IF wrong IS NULL THEN
        RETURN;
    END IF;

    PERFORM FROM social.users AS u
    WHERE u.user_id = ANY (wrong)
    ORDER BY u.user_id
    FOR NO KEY UPDATE OF u;

    UPDATE social.users AS u
    SET followers_count = CASE count_users.kind WHEN 'followers' THEN c.number ELSE u.followers_count END,
        following_count = CASE count_users.kind WHEN 'following' THEN c.number ELSE u.following_count END,
        posts_count = CASE count_users.kind WHEN 'posts' THEN c.number ELSE u.posts_count END
    FROM (
        SELECT w.user_id, coalesce(t.number, 0) AS number
        FROM unnest(wrong) AS w (user_id)
        LEFT JOIN social.true_count AS t
            ON t.kind = count_users.kind AND t.user_id BETWEEN first_key AND last_key
            AND t.user_id = w.user_id
    ) AS c
    WHERE u.user_id = c.user_id;
END
$$;
