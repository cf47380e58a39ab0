-- The users whose datamart row is wrong, computed independently of the procedure:
-- set-based, for everybody at once, by other means where there are any.
--
--   psql -v as_of=2026-01-16 -f verify.sql
--
-- Parameters: :'as_of'  the day that counts as today, UTC
-- Returns:    item_key, problem; no row: all right. Dirty users are not looked at:
--             theirs may be wrong. A clean row must be right on the day as_of, also
--             if it was refreshed days before
-- Reads:      every fact; dwh.dimension_users, dwh.datamart_users
-- Locks:      none
-- Cost:       0.16 ms a user with 8.5 facts on the average
WITH today AS (SELECT CAST(:'as_of' AS date) AS as_of),

clean AS (
    SELECT u.dimension_user_id AS user_id
    FROM dwh.dimension_users AS u
    LEFT JOIN dwh.datamart_users AS d ON u.dimension_user_id = d.dimension_user_id
    CROSS JOIN today AS t
    WHERE
        -- Written so that the planner knows nothing of it: after a load its statistics say
        -- that everybody is dirty, it expects one row, and its nested loops took over 120 s
        -- for 63,887 users instead of 10.
        CASE WHEN u.modified OR d.next_change_on <= t.as_of THEN FALSE ELSE TRUE END -- noqa: ST02
),

action AS MATERIALIZED (
    SELECT
        f.action_dimension_id_user AS user_id, f.action, f.action_at, f.note_id,
        CAST(f.action_at AS date) AS day, f.dimension_id_country,
        f.dimension_id_application, f.days_to_resolution,
        CAST((extract(DOW FROM f.action_at) + 6) % 7 * 24 + extract(HOUR FROM f.action_at) + 1 AS integer)
            AS hour_of_week
    FROM dwh.facts AS f
    JOIN clean AS c ON f.action_dimension_id_user = c.user_id
),

day AS MATERIALIZED (
    SELECT
        user_id, day, action, count(*) AS notes,
        row_number() OVER (PARTITION BY user_id, action ORDER BY count(*) DESC, day) AS place
    FROM action
    GROUP BY user_id, day, action
),

sums AS (
    SELECT
        a.user_id,
        count(*) FILTER (WHERE action = 'opened') AS opened,
        count(*) FILTER (WHERE action = 'closed') AS closed,
        count(*) FILTER (WHERE action = 'opened' AND extract(YEAR FROM day) = extract(YEAR FROM as_of)) AS opened_y,
        count(*) FILTER (WHERE action = 'closed' AND extract(YEAR FROM day) = extract(YEAR FROM as_of)) AS closed_y,
        count(*) FILTER (WHERE action = 'opened' AND to_char(day, 'YYYYMM') = to_char(as_of, 'YYYYMM')) AS opened_m,
        count(*) FILTER (WHERE action = 'closed' AND to_char(day, 'YYYYMM') = to_char(as_of, 'YYYYMM')) AS closed_m,
        count(*) FILTER (WHERE action = 'opened' AND day = as_of) AS opened_d,
        count(*) FILTER (WHERE action = 'closed' AND day = as_of) AS closed_d,
        count(*) FILTER (WHERE action = 'opened' AND action_at >= as_of - interval '7 days') AS opened_7,
        count(*) FILTER (WHERE action = 'closed' AND action_at >= as_of - interval '7 days') AS closed_7,
        count(*) FILTER (WHERE action = 'opened' AND action_at >= as_of - interval '30 days') AS opened_30,
        count(*) FILTER (WHERE action = 'closed' AND action_at >= as_of - interval '30 days') AS closed_30,
        count(*) FILTER (WHERE action = 'opened' AND action_at >= as_of - interval '90 days') AS opened_90,
        count(*) FILTER (WHERE action = 'closed' AND action_at >= as_of - interval '90 days') AS closed_90,
        count(*) FILTER (WHERE action = 'opened' AND action_at >= as_of - interval '365 days') AS opened_365,
        count(*) FILTER (WHERE action = 'closed' AND action_at >= as_of - interval '365 days') AS closed_365,
        count(DISTINCT day) AS active_days,
        min(day) AS first_day,
        max(day) AS last_day,
        round(avg(days_to_resolution), 2) AS average_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY days_to_resolution) AS median_days
    FROM action AS a
    CROSS JOIN today
    GROUP BY a.user_id
),

edge AS (
    SELECT
        user_id, action,
        (array_agg(action_at ORDER BY action_at, note_id))[1] AS first_at,
        (array_agg(note_id ORDER BY action_at, note_id))[1] AS first_note,
        (array_agg(action_at ORDER BY action_at DESC, note_id DESC))[1] AS last_at,
        (array_agg(note_id ORDER BY action_at DESC, note_id DESC))[1] AS last_note
    FROM action
    GROUP BY user_id, action
),

history AS (
    SELECT
        user_id,
        jsonb_agg(jsonb_build_object('year', year, 'opened', opened, 'closed', closed) ORDER BY year) AS years
    FROM (
        SELECT
            user_id, extract(YEAR FROM action_at) AS year,
            count(*) FILTER (WHERE action = 'opened') AS opened,
            count(*) FILTER (WHERE action = 'closed') AS closed
        FROM action
        GROUP BY user_id, extract(YEAR FROM action_at)
    ) AS y
    GROUP BY user_id
),

-- Streaks from the gaps between one active day and the next.
streak AS (
    SELECT user_id, count(*) AS length, max(day) AS ends_on
    FROM (
        SELECT user_id, day, sum(starts) OVER (PARTITION BY user_id ORDER BY day) AS number
        FROM (
            SELECT
                user_id, day,
                CAST(day - lag(day) OVER (PARTITION BY user_id ORDER BY day) IS DISTINCT FROM 1 AS integer) AS starts
            FROM (SELECT DISTINCT user_id, day FROM day) AS d
        ) AS s
    ) AS n
    GROUP BY user_id, number
),

-- Arrays written as text, zeros between the counts, and read back.
slot AS (
    SELECT 'heat' AS name, d.user_id, 365 - (s.last_day - d.day) AS slot, sum(d.notes) AS n, 365 AS slots
    FROM day AS d
    JOIN sums AS s ON d.user_id = s.user_id
    WHERE s.last_day - d.day < 365
    GROUP BY d.user_id, d.day, s.last_day
    UNION ALL
    SELECT CAST(action AS text), user_id, hour_of_week, count(*), 168
    FROM action
    GROUP BY action, user_id, hour_of_week
),

filled AS (
    SELECT
        name, user_id,
        CAST(
            '{' || string_agg(repeat('0,', slot - before - 1) || n, ',' ORDER BY slot)
            || repeat(',0', max(slots) - max(slot)) || '}' AS integer[]
        ) AS counts
    FROM (
        SELECT *, lag(slot, 1, 0) OVER (PARTITION BY name, user_id ORDER BY slot) AS before
        FROM slot
    ) AS s
    GROUP BY name, user_id
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
        GROUP BY a.user_id, a.action, c.country_name
    ) AS g
    GROUP BY user_id, action
),

application AS (
    SELECT user_id, jsonb_agg(jsonb_build_object('application', name, 'notes', n) ORDER BY n DESC, name) AS ranking
    FROM (
        SELECT a.user_id, p.application_name AS name, count(*) AS n
        FROM action AS a
        JOIN dwh.dimension_applications AS p ON a.dimension_id_application = p.dimension_application_id
        WHERE a.action = 'opened'
        GROUP BY a.user_id, p.application_name
    ) AS g
    GROUP BY user_id
),

resolved AS (
    SELECT o.action_dimension_id_user AS user_id, count(*) AS notes
    FROM dwh.facts AS o
    WHERE
        o.action = 'opened'
        AND EXISTS (SELECT FROM dwh.facts AS c WHERE c.note_id = o.note_id AND c.action = 'closed')
    GROUP BY o.action_dimension_id_user
),

-- Every day after as_of on which something would differ, tried one by one.
clock AS (
    SELECT d.user_id, min(x.changes_on) AS next_change_on
    FROM (SELECT DISTINCT user_id, day FROM day) AS d
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
    WHERE x.changes_on > t.as_of
    GROUP BY d.user_id
),

expected AS (
    SELECT
        c.user_id AS dimension_user_id,
        coalesce(s.opened, 0), coalesce(s.closed, 0),
        coalesce(s.opened_y, 0), coalesce(s.closed_y, 0),
        coalesce(s.opened_m, 0), coalesce(s.closed_m, 0),
        coalesce(s.opened_d, 0), coalesce(s.closed_d, 0),
        coalesce(s.opened_7, 0), coalesce(s.closed_7, 0),
        coalesce(s.opened_30, 0), coalesce(s.closed_30, 0),
        coalesce(s.opened_90, 0), coalesce(s.closed_90, 0),
        coalesce(s.opened_365, 0), coalesce(s.closed_365, 0),
        coalesce(h.years, '[]'),
        eo.first_at, eo.first_note, eo.last_at, eo.last_note,
        ec.first_at, ec.first_note, ec.last_at, ec.last_note,
        coalesce(s.active_days, 0),
        CASE WHEN s.last_day >= t.as_of - 1 THEN latest.length ELSE 0 END,
        coalesce(m.length, 0),
        s.last_day,
        coalesce(heat.counts, array_fill(0, ARRAY[365])),
        coalesce(ho.counts, array_fill(0, ARRAY[168])),
        coalesce(hc.counts, array_fill(0, ARRAY[168])),
        coalesce(bo.dates, '[]'), coalesce(bc.dates, '[]'),
        coalesce(co.ranking, '[]'), coalesce(cc.ranking, '[]'), coalesce(p.ranking, '[]'),
        s.average_days, CAST(s.median_days AS numeric(10, 1)),
        coalesce(r.notes, 0), coalesce(s.opened, 0) - coalesce(r.notes, 0),
        round(100.0 * coalesce(r.notes, 0) / nullif(s.opened, 0), 2),
        CASE
            WHEN s.user_id IS NULL THEN 'none'
            WHEN t.as_of - s.last_day > 365 THEN 'dormant'
            WHEN t.as_of - s.first_day <= 30 THEN 'newcomer'
            WHEN s.opened + s.closed > 999 AND s.active_days > 99 THEN 'expert'
            WHEN s.opened + s.closed > 99 OR s.active_days > 29 THEN 'regular'
            WHEN s.first_day = s.last_day THEN 'one_day'
            ELSE 'occasional'
        END,
        k.next_change_on
    FROM clean AS c
    CROSS JOIN today AS t
    LEFT JOIN sums AS s ON c.user_id = s.user_id
    LEFT JOIN history AS h ON c.user_id = h.user_id
    LEFT JOIN edge AS eo ON c.user_id = eo.user_id AND eo.action = 'opened'
    LEFT JOIN edge AS ec ON c.user_id = ec.user_id AND ec.action = 'closed'
    LEFT JOIN (SELECT user_id, max(length) AS length FROM streak GROUP BY user_id) AS m ON c.user_id = m.user_id
    LEFT JOIN streak AS latest ON c.user_id = latest.user_id AND latest.ends_on = s.last_day
    LEFT JOIN filled AS heat ON c.user_id = heat.user_id AND heat.name = 'heat'
    LEFT JOIN filled AS ho ON c.user_id = ho.user_id AND ho.name = 'opened'
    LEFT JOIN filled AS hc ON c.user_id = hc.user_id AND hc.name = 'closed'
    LEFT JOIN busiest AS bo ON c.user_id = bo.user_id AND bo.action = 'opened'
    LEFT JOIN busiest AS bc ON c.user_id = bc.user_id AND bc.action = 'closed'
    LEFT JOIN country AS co ON c.user_id = co.user_id AND co.action = 'opened'
    LEFT JOIN country AS cc ON c.user_id = cc.user_id AND cc.action = 'closed'
    LEFT JOIN application AS p ON c.user_id = p.user_id
    LEFT JOIN resolved AS r ON c.user_id = r.user_id
    LEFT JOIN clock AS k ON c.user_id = k.user_id
)

SELECT
    e.dimension_user_id AS item_key,
    CASE
        WHEN d.dimension_user_id IS NULL THEN 'has no datamart row'
        ELSE 'differs in ' || concat_ws(', ', c.columns, a.activity)
    END AS problem
FROM expected AS e
JOIN dwh.dimension_users AS u ON e.dimension_user_id = u.dimension_user_id
LEFT JOIN dwh.datamart_users AS d ON e.dimension_user_id = d.dimension_user_id
LEFT JOIN sums AS s ON e.dimension_user_id = s.user_id
LEFT JOIN LATERAL (
    SELECT string_agg(w.key, ', ' ORDER BY w.key) AS columns
    FROM jsonb_each(to_jsonb(d)) AS w
    JOIN jsonb_each(to_jsonb(CAST(row(e.*, d.as_of, d.refreshed_at) AS dwh.datamart_users))) AS x
        ON w.key = x.key AND w.value != x.value
    WHERE CAST(row(e.*, d.as_of, d.refreshed_at) AS dwh.datamart_users) IS DISTINCT FROM d
) AS c ON TRUE
LEFT JOIN LATERAL (
    SELECT 'the activity in dwh.dimension_users' AS activity
    WHERE
        u.total_actions != coalesce(s.opened + s.closed, 0)
        OR CAST(u.last_action_at AS date) IS DISTINCT FROM s.last_day
) AS a ON TRUE
WHERE d.dimension_user_id IS NULL OR c.columns IS NOT NULL OR a.activity IS NOT NULL
UNION ALL
SELECT d.dimension_user_id, 'has a datamart row but is no user'
FROM dwh.datamart_users AS d
WHERE
    NOT EXISTS (
        SELECT FROM dwh.dimension_users AS u WHERE u.dimension_user_id = d.dimension_user_id
    )
ORDER BY item_key;
