-- Sets the activity of all users to what their facts say, and makes everybody dirty.
--
-- Parameters: none
-- Returns:    nothing
-- Reads:      dwh.facts
-- Writes:     dwh.dimension_users
-- Locks:      all its rows
-- Cost:       in proportion to the facts
UPDATE dwh.dimension_users AS u
SET modified = TRUE, total_actions = f.actions, last_action_at = f.last_action_at
FROM (
    SELECT
        action_dimension_id_user AS user_id, count(*) AS actions, max(action_at) AS last_action_at
    FROM dwh.facts GROUP BY action_dimension_id_user
) AS f
WHERE u.dimension_user_id = f.user_id;

-- As after a year of loads: everybody turned dirty at another time.
UPDATE dwh.dimension_users
SET dirty_since = now() - make_interval(secs => hashint4(dimension_user_id) & 1048575);

VACUUM ANALYZE;

CHECKPOINT;
