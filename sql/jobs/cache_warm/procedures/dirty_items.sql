-- cache.dirty_items(…): the items that a run is to warm, or to remove, and why. What is dirty,
-- which level it has and what the options of the command mean is said here only;
-- prioritize.sql, backlog.sql and freshness.sql put these rows in order or count them.
--
--   SELECT * FROM cache.dirty_items(current_date, now());
--
-- Parameters: as_of    the day that counts as today, UTC
--             now      the moment of asking
--             dashboards_only  no tags
--             topic    only the dashboards of the topic with this id; empty: of all, and tags
--             refresh  everything, stale or not, that the running cycle has not computed
--             clear    what is there, to be removed
--             stale_only  only what readers get stale now: changed or expired
-- Returns:    item_key; level: 1 dashboards, 2 tags; kind, key, dashboard as in cache.warmed;
--             reason: changed, expired, expiring (in the next 10 minutes, before the next run),
--             missing, asked (by refresh or clear); several where several hold.
--             hits, reads so far, also those not yet in cache.warmed; expires_at and entries of
--             the row, null where it is missing; dirty_since.
--             Errors: 22023 options that contradict each other, P0002 no such topic
-- Reads:      cache.mark; cache.warmed, by expires_at, as_of and key; cache.topics and
--             cache.tags; cache.hit of what is dirty; for refresh the cycle that is open in
--             etl.cycle. Never cache.entries
-- Locks:      none
-- Cost:       in proportion to the marks, to what is dirty, and, a look by key for each, to the
--             dashboards and tags that there should be

CREATE OR REPLACE FUNCTION cache.topic_asked(topic text, refresh boolean, clear boolean)
RETURNS integer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    asked_id integer;
BEGIN
    IF refresh AND clear THEN
        RAISE invalid_parameter_value USING MESSAGE = '--refresh warms and --clear removes: ask for one of them';
    END IF;
    IF topic <> '' THEN
        SELECT t.topic_id INTO asked_id FROM cache.topics AS t WHERE CAST(t.topic_id AS text) = topic;
        IF NOT FOUND THEN
            RAISE no_data_found USING MESSAGE = format('no topic has the id %L', left(topic, 100));
        END IF;
    END IF;
    RETURN asked_id;
END
$$;

CREATE OR REPLACE FUNCTION cache.dirty_items(
    as_of date, now timestamptz, dashboards_only boolean DEFAULT FALSE, topic text DEFAULT '',
    refresh boolean DEFAULT FALSE, clear boolean DEFAULT FALSE, stale_only boolean DEFAULT FALSE
)
RETURNS TABLE (
    item_key text, level integer, kind text, key integer, dashboard text, reason text,
    hits bigint, expires_at timestamptz, entries bigint, dirty_since timestamptz
)
LANGUAGE sql STABLE AS $$
    WITH asked AS MATERIALIZED (
        SELECT cache.topic_asked(dirty_items.topic, dirty_items.refresh, dirty_items.clear) AS topic_id
    ),

    found AS (
        SELECT m.item_key, 'changed' AS reason, min(m.marked_at) AS since
        FROM cache.mark AS m GROUP BY m.item_key
        UNION ALL
        SELECT
            w.item_key,
            CASE WHEN w.expires_at <= dirty_items.now THEN 'expired' ELSE 'expiring' END,
            least(w.expires_at, dirty_items.now)
        FROM cache.warmed AS w
        WHERE w.expires_at <= dirty_items.now + interval '10 minutes'
        UNION ALL
        -- Its windows ended with a day that is over.
        SELECT w.item_key, 'expired', (w.as_of + 1)::timestamp AT TIME ZONE 'UTC'
        FROM cache.warmed AS w WHERE w.as_of < dirty_items.as_of
        UNION ALL
        SELECT s.item_key, 'missing', s.added_at
        FROM (
            SELECT 'topic:' || t.topic_id || '/' || d.dashboard AS item_key, t.added_at
            FROM cache.topics AS t
            CROSS JOIN unnest(ARRAY['digital', 'facebook', 'twitter', 'general']) AS d (dashboard)
            WHERE t.is_active
            UNION ALL
            SELECT 'tag:' || g.tag_id, g.added_at FROM cache.tags AS g
        ) AS s
        WHERE NOT dirty_items.clear AND NOT dirty_items.stale_only
            AND NOT EXISTS (SELECT FROM cache.warmed AS w WHERE w.item_key = s.item_key)
        UNION ALL
        -- While a cycle refreshes everything: what it has not come to yet.
        SELECT w.item_key, 'asked', dirty_items.now
        FROM cache.warmed AS w
        WHERE dirty_items.clear
            OR dirty_items.refresh AND w.computed_at < coalesce(
                (
                    SELECT max(c.started_at) FROM etl.cycle AS c
                    WHERE c.job = 'cache_warm' AND c.finished_at IS NULL
                ),
                dirty_items.now
            )
    ),

    item AS (
        SELECT
            f.item_key,
            string_agg(DISTINCT f.reason, ', ' ORDER BY f.reason) AS reason,
            bool_or(f.reason IN ('changed', 'expired')) AS is_stale,
            -- Since an earlier change, or since it has been missing: the mark of its removal.
            coalesce(min(f.since) FILTER (WHERE f.reason <> 'missing'), min(f.since)) AS since
        FROM found AS f GROUP BY f.item_key
    )

    SELECT
        i.item_key,
        CASE p.kind WHEN 'topic' THEN 1 ELSE 2 END,
        p.kind,
        p.key,
        p.dashboard,
        i.reason,
        coalesce(w.hits, 0) + coalesce(
            (SELECT sum(h.reads)::bigint FROM cache.hit AS h WHERE h.item_key = i.item_key), 0
        ),
        w.expires_at,
        w.entries,
        i.since
    FROM item AS i
    CROSS JOIN asked AS a
    CROSS JOIN LATERAL (
        SELECT
            split_part(i.item_key, ':', 1) AS kind,
            split_part(split_part(i.item_key, ':', 2), '/', 1)::integer AS key,
            nullif(split_part(i.item_key, '/', 2), '') AS dashboard
    ) AS p
    LEFT JOIN cache.warmed AS w ON w.item_key = i.item_key
    WHERE (a.topic_id IS NULL OR (p.kind = 'topic' AND p.key = a.topic_id))
        AND (p.kind = 'topic' OR NOT dirty_items.dashboards_only)
        AND (w.item_key IS NOT NULL OR NOT (dirty_items.clear OR dirty_items.stale_only))
        AND (i.is_stale OR NOT dirty_items.stale_only)
    UNION ALL
    -- No row, ever: so that wrong options are an error also where nothing is dirty.
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM asked AS a WHERE a.topic_id < 0
$$;
