-- The floor of a refresh: every user's datamart row, computed and stored by one statement,
-- without a transaction for each user, a dirty mark or a lock.
--
--   psql -v as_of=2026-01-16 -c BEGIN -f floor.sql -c ROLLBACK
--
-- Parameters: :'as_of'  the day that counts as today, UTC
-- Returns:    nothing
-- Reads:      every fact; dwh.dimension_users
-- Writes:     makes and fills the table floor, of the shape of dwh.datamart_users
-- Locks:      none
-- Cost:       0.1 ms a user with 8.5 facts on the average
CREATE TABLE floor (LIKE dwh.datamart_users INCLUDING ALL);

WITH today AS (
    SELECT
        d.as_of, CAST(extract(YEAR FROM d.as_of) AS integer) AS year,
        d.as_of - CAST(extract(DAY FROM d.as_of) AS integer) + 1 AS month
    FROM (SELECT CAST(:'as_of' AS date) AS as_of) AS d
),

action AS MATERIALIZED (
    SELECT
        f.action_dimension_id_user AS user_id, f.action, f.action_at, f.note_id,
        CAST(f.action_at AS date) AS day, f.dimension_id_country,
        f.dimension_id_application, f.days_to_resolution,
        CAST((date_part('dow', f.action_at) + 6) AS integer) % 7 * 24
        + CAST(date_part('hour', f.action_at) AS integer) + 1 AS hour_of_week
    FROM dwh.facts AS f
    WHERE f.action_dimension_id_user IS NOT NULL
),

total AS (
    SELECT
        a.user_id, a.action,
        count(*) AS n,
        count(*) FILTER (WHERE a.day BETWEEN make_date(t.year, 1, 1) AND make_date(t.year, 12, 31)) AS n_year,
        count(*) FILTER (WHERE a.day >= t.month AND a.day < t.month + interval '1 month') AS n_month,
        count(*) FILTER (WHERE a.day = t.as_of) AS n_day,
        count(*) FILTER (WHERE a.action_at >= t.as_of - interval '7 days') AS n_7,
        count(*) FILTER (WHERE a.action_at >= t.as_of - interval '30 days') AS n_30,
        count(*) FILTER (WHERE a.action_at >= t.as_of - interval '90 days') AS n_90,
        count(*) FILTER (WHERE a.action_at >= t.as_of - interval '365 days') AS n_365,
        array_agg(a.note_id ORDER BY a.action_at, a.note_id) AS notes,
        min(a.action_at) AS first_at,
        max(a.action_at) AS last_at,
        round(avg(a.days_to_resolution), 2) AS average_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY a.days_to_resolution) AS median_days
    FROM action AS a
    CROSS JOIN today AS t
    GROUP BY a.user_id, a.action
),

day AS MATERIALIZED (
    SELECT
        user_id, day, action, count(*) AS notes,
        row_number() OVER (PARTITION BY user_id, action ORDER BY count(*) DESC, day) AS place
    FROM action
    GROUP BY user_id, day, action
),

busiest AS (
    SELECT user_id, action, jsonb_agg(jsonb_build_object('date', day, 'notes', notes) ORDER BY place) AS dates
    FROM day
    WHERE place <= 5
    GROUP BY user_id, action
),

country AS (
    SELECT user_id, action, jsonb_agg(jsonb_build_object('country', name, 'notes', n) ORDER BY n DESC, name) AS ranking
    FROM (
        SELECT a.user_id, a.action, c.country_name AS name, count(*) AS n
        FROM action AS a
        JOIN dwh.dimension_countries AS c ON a.dimension_id_country = c.dimension_country_id
        GROUP BY a.user_id, a.action, c.dimension_country_id
    ) AS g
    GROUP BY user_id, action
),

-- Arrays written as text, zeros between the counts, and read back: quicker than an aggregate
-- in PL/pgSQL.
hours AS (
    SELECT
        user_id, action,
        CAST(
            '{' || string_agg(repeat('0,', slot - before - 1) || n, ',' ORDER BY slot)
            || repeat(',0', 168 - max(slot)) || '}' AS integer[]
        ) AS hours
    FROM (
        SELECT
            user_id, action, hour_of_week AS slot, count(*) AS n,
            lag(hour_of_week, 1, 0) OVER (PARTITION BY user_id, action ORDER BY hour_of_week) AS before
        FROM action
        GROUP BY user_id, action, hour_of_week
    ) AS s
    GROUP BY user_id, action
),

-- FULL JOIN: never a nested loop, whatever the planner believes of these parts.
side AS MATERIALIZED (
    SELECT *
    FROM total
    FULL JOIN hours USING (user_id, action)
    FULL JOIN busiest USING (user_id, action)
    FULL JOIN country USING (user_id, action)
),

active AS MATERIALIZED (
    SELECT user_id, day, CAST(sum(notes) AS integer) AS n, max(day) OVER (PARTITION BY user_id) AS last_day
    FROM day
    GROUP BY user_id, day
),

span AS (
    SELECT user_id, count(*) AS active_days, min(day) AS first_day, max(day) AS last_day
    FROM active
    GROUP BY user_id
),

heat AS (
    SELECT
        user_id,
        CAST(
            '{' || string_agg(repeat('0,', slot - before - 1) || n, ',' ORDER BY slot) || '}' AS integer[]
        ) AS heat_map
    FROM (
        SELECT
            user_id, n, 365 - (last_day - day) AS slot,
            lag(365 - (last_day - day), 1, 0) OVER (PARTITION BY user_id ORDER BY day) AS before
        FROM active
        WHERE last_day - day < 365
    ) AS s
    GROUP BY user_id
),

-- Streaks from the gaps between one active day and the next.
streak AS (
    SELECT user_id, max(length) AS longest, (array_agg(length ORDER BY number DESC))[1] AS latest
    FROM (
        SELECT user_id, number, count(*) AS length
        FROM (
            SELECT user_id, sum(starts) OVER (PARTITION BY user_id ORDER BY day) AS number
            FROM (
                SELECT
                    user_id, day,
                    CAST(day - lag(day) OVER (PARTITION BY user_id ORDER BY day) IS DISTINCT FROM 1 AS integer)
                        AS starts
                FROM active
            ) AS s
        ) AS n
        GROUP BY user_id, number
    ) AS l
    GROUP BY user_id
),

history AS (
    SELECT
        user_id,
        jsonb_agg(jsonb_build_object('year', year, 'opened', opened, 'closed', closed) ORDER BY year) AS years
    FROM (
        SELECT
            user_id, extract(YEAR FROM day) AS year,
            coalesce(sum(notes) FILTER (WHERE action = 'opened'), 0) AS opened,
            coalesce(sum(notes) FILTER (WHERE action = 'closed'), 0) AS closed
        FROM day
        GROUP BY user_id, extract(YEAR FROM day)
    ) AS y
    GROUP BY user_id
),

application AS (
    SELECT user_id, jsonb_agg(jsonb_build_object('application', name, 'notes', n) ORDER BY n DESC, name) AS tools
    FROM (
        SELECT a.user_id, p.application_name AS name, count(*) AS n
        FROM action AS a
        JOIN dwh.dimension_applications AS p ON a.dimension_id_application = p.dimension_application_id
        WHERE a.action = 'opened'
        GROUP BY a.user_id, p.dimension_application_id
    ) AS g
    GROUP BY user_id
),

resolved AS (
    SELECT user_id, count(*) AS resolved
    FROM action
    WHERE action = 'opened' AND note_id IN (SELECT note_id FROM dwh.facts WHERE action = 'closed')
    GROUP BY user_id
),

-- Every day after as_of on which something would differ, tried one by one.
clock AS (
    SELECT d.user_id, min(x.changes_on) AS next_change_on
    FROM active AS d
    CROSS JOIN today AS t
    CROSS JOIN
        LATERAL (
            VALUES
            (d.day), (d.day + 1), (d.day + 2), (d.day + 8), (d.day + 31), (d.day + 91), (d.day + 366),
            (make_date(CAST(extract(YEAR FROM d.day) AS integer), 1, 1)),
            (make_date(CAST(extract(YEAR FROM d.day) AS integer) + 1, 1, 1)),
            (d.day - CAST(extract(DAY FROM d.day) AS integer) + 1),
            (CAST(d.day - CAST(extract(DAY FROM d.day) AS integer) + 1 + interval '1 month' AS date))
        ) AS x (changes_on)
    WHERE d.day + 366 > t.as_of AND x.changes_on > t.as_of
    GROUP BY d.user_id
),

whole AS MATERIALIZED (
    SELECT *
    FROM (SELECT dimension_user_id AS user_id FROM dwh.dimension_users) AS u
    FULL JOIN span USING (user_id)
    FULL JOIN heat USING (user_id)
    FULL JOIN streak USING (user_id)
    FULL JOIN history USING (user_id)
    FULL JOIN application USING (user_id)
    FULL JOIN resolved USING (user_id)
    FULL JOIN clock USING (user_id)
)

INSERT INTO floor
SELECT
    w.user_id,
    coalesce(o.n, 0), coalesce(c.n, 0), coalesce(o.n_year, 0), coalesce(c.n_year, 0),
    coalesce(o.n_month, 0), coalesce(c.n_month, 0), coalesce(o.n_day, 0), coalesce(c.n_day, 0),
    coalesce(o.n_7, 0), coalesce(c.n_7, 0), coalesce(o.n_30, 0), coalesce(c.n_30, 0),
    coalesce(o.n_90, 0), coalesce(c.n_90, 0), coalesce(o.n_365, 0), coalesce(c.n_365, 0),
    coalesce(w.years, '[]'),
    o.first_at, o.notes[1], o.last_at, o.notes[o.n],
    c.first_at, c.notes[1], c.last_at, c.notes[c.n],
    coalesce(w.active_days, 0),
    CASE WHEN w.last_day >= t.as_of - 1 THEN w.latest ELSE 0 END,
    coalesce(w.longest, 0),
    w.last_day,
    coalesce(w.heat_map, array_fill(0, ARRAY[365])),
    coalesce(o.hours, array_fill(0, ARRAY[168])),
    coalesce(c.hours, array_fill(0, ARRAY[168])),
    coalesce(o.dates, '[]'), coalesce(c.dates, '[]'),
    coalesce(o.ranking, '[]'), coalesce(c.ranking, '[]'), coalesce(w.tools, '[]'),
    c.average_days, CAST(c.median_days AS numeric(10, 1)),
    coalesce(w.resolved, 0), coalesce(o.n, 0) - coalesce(w.resolved, 0),
    round(100.0 * coalesce(w.resolved, 0) / o.n, 2),
    CASE
        WHEN w.last_day IS NULL THEN 'none'
        WHEN t.as_of - w.last_day > 365 THEN 'dormant'
        WHEN t.as_of - w.first_day <= 30 THEN 'newcomer'
        WHEN coalesce(o.n, 0) + coalesce(c.n, 0) > 999 AND w.active_days > 99 THEN 'expert'
        WHEN coalesce(o.n, 0) + coalesce(c.n, 0) > 99 OR w.active_days > 29 THEN 'regular'
        WHEN w.first_day = w.last_day THEN 'one_day'
        ELSE 'occasional'
    END,
    w.next_change_on, t.as_of, now()

FROM whole AS w
FULL JOIN (SELECT * FROM side WHERE action = 'opened') AS o ON w.user_id = o.user_id
FULL JOIN (SELECT * FROM side WHERE action = 'closed') AS c ON w.user_id = c.user_id
CROSS JOIN today AS t;
