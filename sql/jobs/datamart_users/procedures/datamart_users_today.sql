-- dwh.datamart_users_today: the datamart rows as a person wants to read them, with
-- the user's name and whatever moves with the clock computed at the time of reading.
--
-- Parameters: none; today is the current date, UTC
-- Returns:    one row for each row of dwh.datamart_users. heat_map is moved here
--             so that it ends today; is_dirty tells that a refresh is due
-- Reads:      dwh.datamart_users, dwh.dimension_users
-- Locks:      none
-- Cost:       3 us a row read; filter by dimension_user_id or username
CREATE OR REPLACE VIEW dwh.datamart_users_today AS
SELECT
    u.username,
    t.today - d.last_active_on AS days_since_last_action,
    t.today - least(d.first_opened_at, d.first_closed_at)::date AS days_since_first_action,
    CASE
        WHEN d.last_active_on IS NULL OR d.last_active_on >= t.today THEN d.heat_map
        ELSE
            d.heat_map[least(365, t.today - d.last_active_on) + 1:365]
            || array_fill(0, ARRAY[least(365, t.today - d.last_active_on)])
    END AS heat_map_until_today,
    u.modified OR coalesce(d.next_change_on <= t.today, FALSE) AS is_dirty,
    d.*
FROM dwh.datamart_users AS d
JOIN dwh.dimension_users AS u ON u.dimension_user_id = d.dimension_user_id
CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS t;
