-- The stored result of one user: the columns that a refresh on the same day must give again.
--
--   psql -v item_key=42 -f result.sql
--
-- Parameters: :'item_key'  dwh.dimension_users.dimension_user_id
-- Returns:    one row, or none; without as_of and refreshed_at, which tell of the refresh
-- Reads:      one row of dwh.datamart_users, by its key
-- Locks:      none
-- Cost:       constant
SELECT
    d.opened_total, d.closed_total, d.opened_this_year, d.closed_this_year, d.opened_this_month,
    d.closed_this_month, d.opened_today, d.closed_today, d.opened_last_7_days, d.closed_last_7_days,
    d.opened_last_30_days, d.closed_last_30_days, d.opened_last_90_days, d.closed_last_90_days,
    d.opened_last_365_days, d.closed_last_365_days, d.history_by_year, d.first_opened_at,
    d.first_opened_note_id, d.last_opened_at, d.last_opened_note_id, d.first_closed_at,
    d.first_closed_note_id, d.last_closed_at, d.last_closed_note_id, d.active_days,
    d.current_streak_days, d.longest_streak_days, d.last_active_on, d.heat_map,
    d.hours_of_week_opened, d.hours_of_week_closed, d.busiest_dates_opened, d.busiest_dates_closed,
    d.countries_opened, d.countries_closed, d.applications, d.average_days_to_resolution,
    d.median_days_to_resolution, d.opened_and_resolved, d.opened_and_still_open, d.resolution_rate,
    d.contributor_type, d.next_change_on
FROM dwh.datamart_users AS d
WHERE d.dimension_user_id = CAST(:'item_key' AS integer);
