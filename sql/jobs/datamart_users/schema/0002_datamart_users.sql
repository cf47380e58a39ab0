-- dwh.datamart_users: one row of ready figures for each user.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates the table
-- Locks:      none on existing objects
-- Cost:       constant
--
-- Every column but as_of and refreshed_at is a function of the user's facts and
-- of the day. The day changes a row only on certain days (a fact leaves the
-- last 30 days, a streak breaks, a month begins); next_change_on is the first
-- of them, and from that day on the row counts as dirty.
CREATE TABLE dwh.datamart_users (
    dimension_user_id integer PRIMARY KEY,

    opened_total integer NOT NULL,
    closed_total integer NOT NULL,
    opened_this_year integer NOT NULL,
    closed_this_year integer NOT NULL,
    opened_this_month integer NOT NULL,
    closed_this_month integer NOT NULL,
    opened_today integer NOT NULL,
    closed_today integer NOT NULL,
    opened_last_7_days integer NOT NULL,
    closed_last_7_days integer NOT NULL,
    opened_last_30_days integer NOT NULL,
    closed_last_30_days integer NOT NULL,
    opened_last_90_days integer NOT NULL,
    closed_last_90_days integer NOT NULL,
    opened_last_365_days integer NOT NULL,
    closed_last_365_days integer NOT NULL,
    history_by_year jsonb NOT NULL,

    first_opened_at timestamp,
    first_opened_note_id bigint,
    last_opened_at timestamp,
    last_opened_note_id bigint,
    first_closed_at timestamp,
    first_closed_note_id bigint,
    last_closed_at timestamp,
    last_closed_note_id bigint,

    active_days integer NOT NULL,
    current_streak_days integer NOT NULL,
    longest_streak_days integer NOT NULL,
    last_active_on date,
    heat_map integer[] NOT NULL CHECK (cardinality(heat_map) = 365),
    hours_of_week_opened integer[] NOT NULL CHECK (cardinality(hours_of_week_opened) = 168),
    hours_of_week_closed integer[] NOT NULL CHECK (cardinality(hours_of_week_closed) = 168),
    busiest_dates_opened jsonb NOT NULL,
    busiest_dates_closed jsonb NOT NULL,

    countries_opened jsonb NOT NULL,
    countries_closed jsonb NOT NULL,
    applications jsonb NOT NULL,

    average_days_to_resolution numeric(10, 2),
    median_days_to_resolution numeric(10, 1),
    opened_and_resolved integer NOT NULL,
    opened_and_still_open integer NOT NULL,
    resolution_rate numeric(5, 2),
    contributor_type text NOT NULL,

    next_change_on date,
    as_of date NOT NULL,
    refreshed_at timestamptz NOT NULL
) WITH (
    fillfactor = 75,
    -- Every refresh replaces the row and what of it is stored beside the table.
    autovacuum_vacuum_scale_factor = 0.05,
    toast.autovacuum_vacuum_scale_factor = 0.05
);

COMMENT ON TABLE dwh.datamart_users IS
'Ready figures of each user; read dwh.datamart_users_today for those that move with the clock';
COMMENT ON COLUMN dwh.datamart_users.opened_last_7_days IS
'Since midnight UTC seven days before the day of the refresh; 30, 90, 365 alike';
COMMENT ON COLUMN dwh.datamart_users.history_by_year IS
'[{"year": 2024, "opened": 3, "closed": 5}, …], oldest year first';
COMMENT ON COLUMN dwh.datamart_users.heat_map IS
'Actions on each of the 365 days that end with last_active_on, oldest first';
COMMENT ON COLUMN dwh.datamart_users.hours_of_week_opened IS
'Openings in each hour of the week, UTC: element 1 is Monday 00h, 168 Sunday 23h';
COMMENT ON COLUMN dwh.datamart_users.busiest_dates_opened IS
'The five days with most openings: [{"date": …, "notes": 7}, …], most first';
COMMENT ON COLUMN dwh.datamart_users.countries_opened IS
'[{"country": …, "notes": 7}, …], most first, all of them';
COMMENT ON COLUMN dwh.datamart_users.applications IS
'Applications the user opened notes with, the same shape as countries';
COMMENT ON COLUMN dwh.datamart_users.median_days_to_resolution IS
'Of the notes the user closed, as the average';
COMMENT ON COLUMN dwh.datamart_users.resolution_rate IS
'Percent of the notes the user opened that have been closed; null without any';
COMMENT ON COLUMN dwh.datamart_users.next_change_on IS
'First day on which time alone changes this row; null: never';

CREATE INDEX datamart_users_due
ON dwh.datamart_users (next_change_on) WHERE next_change_on IS NOT NULL;
