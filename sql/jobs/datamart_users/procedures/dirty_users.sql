-- dwh.dirty_users(as_of): the users whose datamart row is out of date, with their levels. Who is
-- dirty and what a level is, is said here only; prioritize.sql, backlog.sql and freshness.sql leave
-- out the held ones, and put these rows in order or count them.
--
--   SELECT * FROM dwh.dirty_users(current_date);
--
-- Parameters: as_of  the day that counts as today, UTC
-- Returns:    dimension_user_id; total_actions, last_action_at, as in dwh.dimension_users;
--             dirty_since: the mark's, or the day on which the clock changed the row;
--             level     1 critical: an action in the last 7 days
--                       2 high:     in the last 30 days
--                       3 medium:   in the last 90 days
--                       4 very active:       longer ago, more than 100 actions
--                       5 moderately active: longer ago, more than 10
--                       6 lowest:            longer ago or never, 10 or fewer
-- Reads:      the dirty rows of dwh.dimension_users, by partial index; the due rows of
--             dwh.datamart_users, by index. Never dwh.facts
-- Locks:      none
-- Cost:       in proportion to the dirty users, whatever the number of clean ones and of facts.
--             Inlined into the calling statement, which is planned as if this stood there: keep
--             it one SELECT, STABLE, and without SET
CREATE OR REPLACE FUNCTION dwh.dirty_users(as_of date)
RETURNS TABLE (
    dimension_user_id integer, total_actions integer, last_action_at timestamp,
    dirty_since timestamptz, level integer
)
LANGUAGE sql STABLE AS $$
    SELECT
        d.dimension_user_id, d.total_actions, d.last_action_at, d.dirty_since,
        CASE
            WHEN d.last_action_at >= dirty_users.as_of - 7 THEN 1
            WHEN d.last_action_at >= dirty_users.as_of - 30 THEN 2
            WHEN d.last_action_at >= dirty_users.as_of - 90 THEN 3
            WHEN d.total_actions > 100 THEN 4
            WHEN d.total_actions > 10 THEN 5
            ELSE 6
        END
    FROM (
        SELECT u.dimension_user_id, u.total_actions, u.last_action_at, u.dirty_since
        FROM dwh.dimension_users AS u
        WHERE u.modified
        UNION ALL
        -- Time passing is a change too: the mark is clear, the row is out of date.
        SELECT
            u.dimension_user_id, u.total_actions, u.last_action_at,
            r.next_change_on::timestamp AT TIME ZONE 'UTC'
        FROM dwh.datamart_users AS r
        JOIN dwh.dimension_users AS u ON u.dimension_user_id = r.dimension_user_id
        WHERE r.next_change_on <= dirty_users.as_of AND NOT u.modified
    ) AS d
$$;
