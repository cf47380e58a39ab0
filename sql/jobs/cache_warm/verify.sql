-- The items whose payload is wrong, computed independently of the procedures: set-based, for
-- all at once, windows by the age of each entry.
--
--   psql -v as_of=2026-01-16 -f verify.sql
--
-- Parameters: :'as_of'  the day that counts as today, UTC
-- Returns:    item_key, problem; no row: all right. Dirty items are not looked at: marked ones,
--             those of another day, missing ones
-- Reads:      the entries of 30 days, their tags; cache.warmed, cache.mark
-- Locks:      none
-- Cost:       about 5 us for each entry of these 30 days and each item that shows it
WITH clean AS MATERIALIZED (
    SELECT w.item_key, w.kind, w.key, w.dashboard, w.payload, w.entries, w.newest_at
    FROM cache.warmed AS w
    WHERE
        w.as_of = CAST(:'as_of' AS date)
        AND NOT EXISTS (SELECT FROM cache.mark AS m WHERE m.item_key = w.item_key)
),

entry AS MATERIALIZED (
    SELECT
        e.entry_id, e.topic_id, e.source, e.published_at, e.reach, e.interactions, e.sentiment,
        CAST(:'as_of' AS date) - CAST(timezone('UTC', e.published_at) AS date) AS age
    FROM cache.entries AS e
    WHERE CAST(:'as_of' AS date) - CAST(timezone('UTC', e.published_at) AS date) BETWEEN 0 AND 29
),

shown AS MATERIALIZED (
    SELECT c.item_key, e.*
    FROM clean AS c
    JOIN entry AS e ON c.key = e.topic_id AND c.dashboard IN ('general', e.source)
    UNION ALL
    SELECT c.item_key, e.*
    FROM clean AS c
    JOIN cache.entry_tags AS t ON c.key = t.tag_id AND c.kind = 'tag'
    JOIN entry AS e ON t.entry_id = e.entry_id
),

total AS (
    SELECT s.item_key, count(*) AS entries, max(s.published_at) AS newest_at
    FROM shown AS s
    GROUP BY s.item_key
),

windowed AS (
    SELECT g.item_key, jsonb_object_agg(g.name, g.figures) AS windows
    FROM (
        SELECT
            s.item_key, v.name,
            jsonb_build_object(
                'entries', count(*), 'reach', sum(s.reach), 'interactions', sum(s.interactions),
                'positive', sum(greatest(s.sentiment, 0)),
                'negative', -sum(least(s.sentiment, 0)),
                'neutral', sum(1 - abs(s.sentiment))
            ) AS figures
        FROM shown AS s
        JOIN (VALUES ('today', 0), ('last_7_days', 6), ('last_30_days', 29)) AS v (name, oldest)
            ON s.age <= v.oldest
        GROUP BY s.item_key, v.name
    ) AS g
    GROUP BY g.item_key
),

daily AS (
    SELECT
        c.item_key, jsonb_agg(jsonb_build_array(
            CAST(:'as_of' AS date) - a.age, coalesce(g.entries, 0), coalesce(g.reach, 0)
        ) ORDER BY a.age DESC) AS days
    FROM clean AS c
    CROSS JOIN generate_series(0, 29) AS a (age)
    LEFT JOIN (
        SELECT s.item_key, s.age, count(*) AS entries, sum(s.reach) AS reach
        FROM shown AS s
        GROUP BY s.item_key, s.age
    ) AS g ON c.item_key = g.item_key AND a.age = g.age
    GROUP BY c.item_key
),

sourced AS (
    SELECT g.item_key, jsonb_object_agg(g.source, g.entries) AS sources
    FROM (
        SELECT s.item_key, s.source, count(*) AS entries FROM shown AS s GROUP BY s.item_key, s.source
    ) AS g
    GROUP BY g.item_key
),

ranked AS (
    SELECT
        s.item_key, 'top_entries' AS what,
        jsonb_build_object('entry', s.entry_id, 'interactions', s.interactions) AS line,
        row_number() OVER (PARTITION BY s.item_key ORDER BY s.interactions DESC, s.entry_id) AS place
    FROM shown AS s
    UNION ALL
    SELECT
        s.item_key, 'top_tags',
        jsonb_build_object('tag', t.tag_id, 'entries', count(*)),
        row_number() OVER (PARTITION BY s.item_key ORDER BY count(*) DESC, t.tag_id)
    FROM shown AS s
    JOIN cache.entry_tags AS t ON s.entry_id = t.entry_id
    GROUP BY s.item_key, t.tag_id
    UNION ALL
    SELECT
        s.item_key, 'top_topics',
        jsonb_build_object('topic', s.topic_id, 'entries', count(*)),
        row_number() OVER (PARTITION BY s.item_key ORDER BY count(*) DESC, s.topic_id)
    FROM shown AS s
    GROUP BY s.item_key, s.topic_id
),

best AS (
    SELECT r.item_key, r.what, jsonb_agg(r.line ORDER BY r.place) AS lines
    FROM ranked AS r
    WHERE r.place <= 10
    GROUP BY r.item_key, r.what
),

nothing AS (
    SELECT
        jsonb_object_agg(v.name, jsonb_build_object(
            'entries', 0, 'reach', 0, 'interactions', 0, 'positive', 0, 'negative', 0, 'neutral', 0
        )) AS windows
    FROM (VALUES ('today'), ('last_7_days'), ('last_30_days')) AS v (name)
),

expected AS (
    SELECT
        c.item_key,
        coalesce(t.entries, 0) AS entries,
        t.newest_at,
        CASE c.kind
            WHEN 'topic'
                THEN (
                    SELECT
                        jsonb_build_object(
                            'topic', p.name, 'dashboard', c.dashboard, 'as_of', CAST(:'as_of' AS date),
                            'windows', n.windows || coalesce(w.windows, '{}'), 'days', d.days,
                            'sources', coalesce(s.sources, '{}'),
                            'top_entries', coalesce(e.lines, '[]'), 'top_tags', coalesce(g.lines, '[]')
                        )
                    FROM cache.topics AS p
                    WHERE p.topic_id = c.key AND p.is_active
                )
            ELSE (
                SELECT
                    jsonb_build_object(
                        'tag', p.name, 'as_of', CAST(:'as_of' AS date),
                        'windows', n.windows || coalesce(w.windows, '{}'),
                        'top_topics', coalesce(o.lines, '[]')
                    )
                FROM cache.tags AS p
                WHERE p.tag_id = c.key
            )
        END AS payload
    FROM clean AS c
    CROSS JOIN nothing AS n
    LEFT JOIN total AS t ON c.item_key = t.item_key
    LEFT JOIN windowed AS w ON c.item_key = w.item_key
    LEFT JOIN daily AS d ON c.item_key = d.item_key
    LEFT JOIN sourced AS s ON c.item_key = s.item_key
    LEFT JOIN best AS e ON c.item_key = e.item_key AND e.what = 'top_entries'
    LEFT JOIN best AS g ON c.item_key = g.item_key AND g.what = 'top_tags'
    LEFT JOIN best AS o ON c.item_key = o.item_key AND o.what = 'top_topics'
)

SELECT
    c.item_key,
    CASE
        WHEN x.payload IS NULL THEN 'is cached, but its topic or tag is not active or gone'
        WHEN
            c.entries <> x.entries OR (c.newest_at IS DISTINCT FROM x.newest_at)
            THEN format(
                'computed from %s entries up to %s, should be from %s up to %s',
                c.entries, c.newest_at, x.entries, x.newest_at
            )
        ELSE (
            SELECT
                format(
                    'differs in %s: the first is %s, should be %s',
                    string_agg(f.name, ', ' ORDER BY f.name),
                    left((array_agg(CAST(f.stored AS text) ORDER BY f.name))[1], 200),
                    left((array_agg(CAST(f.wanted AS text) ORDER BY f.name))[1], 200)
                )
            FROM (
                SELECT coalesce(a.key, b.key) AS name, a.value AS stored, b.value AS wanted
                FROM jsonb_each(c.payload) AS a
                FULL JOIN jsonb_each(x.payload) AS b ON a.key = b.key
            ) AS f
            WHERE f.stored IS DISTINCT FROM f.wanted
        )
    END AS problem
FROM clean AS c
JOIN expected AS x ON c.item_key = x.item_key
WHERE
    c.payload IS DISTINCT FROM x.payload
    OR c.entries <> x.entries
    OR c.newest_at IS DISTINCT FROM x.newest_at
ORDER BY c.item_key;
