-- Sample notes: invented users whose activity is as skewed as the real one, up to the
-- day as_of. The same numbers give the same notes.
--
--   psql -1 -v scale=20000 -v as_of=2026-01-16 -f sample.sql
--
-- Parameters: :scale    number of users; about 15 facts each on the average
--             :'as_of'  the last day with activity
-- Returns:    nothing of interest
-- Writes:     pg_temp.staged_notes, and through dwh.merge_notes the star schema
-- Locks:      see procedures/merge_notes.sql
-- Cost:       some seconds for 20,000 users; run it in one transaction
--
-- Note ids are negative and user names begin with sample_, so that real notes loaded
-- beside them never meet them.
CALL dwh.stage_notes();

SELECT setseed(0.42);

-- Few users open most notes (the cube of a random number), and fewer close most of
-- them. Each user has a time of activity that ended some days ago: seldom less than
-- a week, mostly years.
INSERT INTO pg_temp.staged_notes
WITH notes AS MATERIALIZED (
    SELECT
        i AS note,
        CAST(floor(CAST(:scale AS integer) * random() ^ 3) AS integer) AS opener,
        CAST(floor(CAST(:scale AS integer) * random() ^ 4) AS bigint) * 7919 % CAST(:scale AS integer) AS closer,
        random() AS moment, random() + random() - 1 AS hour, -ln(1 - random()) AS wait,
        random() AS is_closed, random() AS is_anonymous, random() AS place, random() AS tool
    FROM generate_series(1, CAST(:scale AS integer) * 81 / 10) AS i
),

dated AS (
    SELECT
        n.*,
        CAST(CAST(:'as_of' AS date) AS timestamp) + interval '12 hours'
        - make_interval(secs => round(86400 * (
            2500 * ((hashint4(n.opener) & 65535) / 65536.0) ^ 1.3
            + (30 + 2000 * ((hashint4(n.opener) >> 16 & 65535) / 65536.0) ^ 2)
            * n.moment
        ))) + interval '1 hour' * round(n.hour * 10) AS opened_at
    FROM notes AS n
)

SELECT
    -d.note,
    (ARRAY[
        'Deutschland', 'France', 'España', 'Italia', 'Colombia', 'México', 'Polska', 'Brasil',
        'United States', 'United Kingdom', 'Österreich', 'Nederland', '日本', 'Україна',
        'Argentina', 'Česko', 'Magyarország', 'Perú', 'Ελλάς', 'Sverige', 'Chile', 'Norge'
    ])[1 + CAST(floor(22 * d.place ^ 2) AS integer)],
    d.opened_at,
    CASE
        WHEN
            d.is_closed < 0.9
            AND d.opened_at + interval '1 day' * 25 * d.wait < CAST(:'as_of' AS date)
            THEN date_trunc('second', d.opened_at + interval '1 day' * 25 * d.wait)
    END,
    CASE WHEN d.is_anonymous < 0.9 THEN format('sample_%s', lpad(CAST(d.opener AS text), 6, '0')) END,
    format('sample_%s', lpad(CAST(d.closer AS text), 6, '0')),
    CASE
        WHEN d.tool < 0.4
            THEN (ARRAY['mapsme', 'streetcomplete', 'osmand', 'organicmaps', 'everydoor'])[
                1 + CAST(floor(5 * (d.tool / 0.4) ^ 2) AS integer)
            ]
    END
FROM dated AS d;

-- Some users never did anything; they are dirty and have a row like everybody.
INSERT INTO dwh.dimension_users (username)
SELECT format('sample_%s', lpad(CAST(i AS text), 6, '0'))
FROM generate_series(0, CAST(:scale AS integer) - 1) AS i
WHERE NOT EXISTS (
    SELECT FROM dwh.dimension_users AS u
    WHERE u.username = format('sample_%s', lpad(CAST(i AS text), 6, '0'))
);

CALL dwh.merge_notes(NULL, NULL, NULL, NULL, NULL, NULL);
