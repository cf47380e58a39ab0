-- cache.topic_payload(topic_id, dashboard, as_of) and cache.tag_payload(tag_id, as_of): what one
-- dashboard of a topic, or the page of a tag, shows.
--
-- Parameters: topic_id, dashboard  'general' shows the entries of all sources, the others one's
--             tag_id
--             as_of    the day, UTC, with which the windows of 1, 7 and 30 days end
-- Returns:    one row: payload; entries, from how many it was computed; newest_at, when the
--             newest of them was published. Error 22003 where a sum exceeds a bigint
-- Reads:      the entries of 30 days, by index; their tags, or of a tag the rows of all time
-- Locks:      none
-- Cost:       in proportion to those entries
--
-- A payload is a function of the entries and of the day, of nothing else: it holds no time of
-- computing. So one that is computed again from the same entries is the same, to the byte.

CREATE OR REPLACE FUNCTION cache.figures(
    entries numeric, reach numeric, interactions numeric, positive numeric, negative numeric
)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'entries', coalesce(entries, 0)::bigint,
        'reach', coalesce(reach, 0)::bigint,
        'interactions', coalesce(interactions, 0)::bigint,
        'positive', coalesce(positive, 0)::bigint,
        'negative', coalesce(negative, 0)::bigint,
        'neutral', coalesce(entries - positive - negative, 0)::bigint
    )
$$;

CREATE OR REPLACE FUNCTION cache.topic_payload(
    topic_id integer, dashboard text, as_of date,
    OUT payload jsonb, OUT entries bigint, OUT newest_at timestamptz
)
LANGUAGE sql STABLE AS $$
    WITH own AS MATERIALIZED (
        SELECT
            e.entry_id, e.source, e.reach, e.interactions, e.sentiment, e.published_at,
            (e.published_at AT TIME ZONE 'UTC')::date AS day
        FROM cache.entries AS e
        WHERE e.topic_id = topic_payload.topic_id
            AND e.source = ANY (CASE topic_payload.dashboard
                WHEN 'general' THEN ARRAY['digital', 'facebook', 'twitter']
                ELSE ARRAY[topic_payload.dashboard]
            END)
            AND e.published_at >= (topic_payload.as_of - 29)::timestamp AT TIME ZONE 'UTC'
            AND e.published_at < (topic_payload.as_of + 1)::timestamp AT TIME ZONE 'UTC'
    ),

    daily AS MATERIALIZED (
        SELECT
            o.day, o.source,
            count(*) AS entries, sum(o.reach) AS reach, sum(o.interactions) AS interactions,
            count(*) FILTER (WHERE o.sentiment > 0) AS positive,
            count(*) FILTER (WHERE o.sentiment < 0) AS negative
        FROM own AS o GROUP BY o.day, o.source
    )

    SELECT
        jsonb_build_object(
            'topic', (SELECT t.name FROM cache.topics AS t WHERE t.topic_id = topic_payload.topic_id),
            'dashboard', topic_payload.dashboard,
            'as_of', topic_payload.as_of,
            'windows', (
                SELECT jsonb_object_agg(v.name, v.figures)
                FROM (
                    SELECT
                        b.name,
                        cache.figures(
                            sum(d.entries), sum(d.reach), sum(d.interactions),
                            sum(d.positive), sum(d.negative)
                        ) AS figures
                    FROM (VALUES ('today', 1), ('last_7_days', 7), ('last_30_days', 30)) AS b (name, days)
                    LEFT JOIN daily AS d ON d.day > topic_payload.as_of - b.days
                    GROUP BY b.name
                ) AS v
            ),
            'sources', (
                SELECT coalesce(jsonb_object_agg(s.source, s.entries), '{}')
                FROM (SELECT d.source, sum(d.entries) AS entries FROM daily AS d GROUP BY d.source) AS s
            ),
            'days', (
                SELECT jsonb_agg(
                    jsonb_build_array(topic_payload.as_of - p.age, coalesce(d.entries, 0), coalesce(d.reach, 0))
                    ORDER BY p.age DESC
                )
                FROM generate_series(0, 29) AS p (age)
                LEFT JOIN (
                    SELECT x.day, sum(x.entries) AS entries, sum(x.reach) AS reach
                    FROM daily AS x GROUP BY x.day
                ) AS d ON d.day = topic_payload.as_of - p.age
            ),
            'top_entries', (
                SELECT coalesce(jsonb_agg(
                    jsonb_build_object('entry', b.entry_id, 'interactions', b.interactions)
                    ORDER BY b.interactions DESC, b.entry_id
                ), '[]')
                FROM (
                    SELECT o.entry_id, o.interactions FROM own AS o
                    ORDER BY o.interactions DESC, o.entry_id LIMIT 10
                ) AS b
            ),
            'top_tags', (
                SELECT coalesce(jsonb_agg(
                    jsonb_build_object('tag', b.tag_id, 'entries', b.entries)
                    ORDER BY b.entries DESC, b.tag_id
                ), '[]')
                FROM (
                    SELECT t.tag_id, count(*) AS entries
                    FROM own AS o JOIN cache.entry_tags AS t ON t.entry_id = o.entry_id
                    GROUP BY t.tag_id ORDER BY count(*) DESC, t.tag_id LIMIT 10
                ) AS b
            )
        ),
        (SELECT count(*) FROM own),
        (SELECT max(o.published_at) FROM own AS o)
$$;

CREATE OR REPLACE FUNCTION cache.tag_payload(
    tag_id integer, as_of date,
    OUT payload jsonb, OUT entries bigint, OUT newest_at timestamptz
)
LANGUAGE sql STABLE AS $$
    WITH own AS MATERIALIZED (
        SELECT
            e.topic_id, e.reach, e.interactions, e.sentiment, e.published_at,
            (e.published_at AT TIME ZONE 'UTC')::date AS day
        FROM cache.entry_tags AS t
        JOIN cache.entries AS e ON e.entry_id = t.entry_id
        WHERE t.tag_id = tag_payload.tag_id
            AND e.published_at >= (tag_payload.as_of - 29)::timestamp AT TIME ZONE 'UTC'
            AND e.published_at < (tag_payload.as_of + 1)::timestamp AT TIME ZONE 'UTC'
    )

    SELECT
        jsonb_build_object(
            'tag', (SELECT g.name FROM cache.tags AS g WHERE g.tag_id = tag_payload.tag_id),
            'as_of', tag_payload.as_of,
            'windows', (
                SELECT jsonb_object_agg(v.name, v.figures)
                FROM (
                    SELECT
                        b.name,
                        cache.figures(
                            count(o.day), sum(o.reach), sum(o.interactions),
                            count(*) FILTER (WHERE o.sentiment > 0),
                            count(*) FILTER (WHERE o.sentiment < 0)
                        ) AS figures
                    FROM (VALUES ('today', 1), ('last_7_days', 7), ('last_30_days', 30)) AS b (name, days)
                    LEFT JOIN own AS o ON o.day > tag_payload.as_of - b.days
                    GROUP BY b.name
                ) AS v
            ),
            'top_topics', (
                SELECT coalesce(jsonb_agg(
                    jsonb_build_object('topic', b.topic_id, 'entries', b.entries)
                    ORDER BY b.entries DESC, b.topic_id
                ), '[]')
                FROM (
                    SELECT o.topic_id, count(*) AS entries FROM own AS o
                    GROUP BY o.topic_id ORDER BY count(*) DESC, o.topic_id LIMIT 10
                ) AS b
            )
        ),
        (SELECT count(*) FROM own),
        (SELECT max(o.published_at) FROM own AS o)
$$;
