-- What people want to know of a finished cycle.
--
--   psql -v cycle_id=7 -f summary.sql
--
-- Parameters: :cycle_id  etl.cycle.cycle_id
-- Returns:    what, value, in this order: topics ok (all of its dashboards that were tried),
--             topics failed (any of them), dashboards warmed, tags ok, tags failed; removed
--             (done, and no longer there) and busy where there are any; items cached, in all,
--             now; then for each topic or tag that failed its name and the reason
-- Reads:      etl.attempt of the cycle; cache.warmed, cache.topics, cache.tags
-- Locks:      none
-- Cost:       in proportion to the attempts of the cycle and to the items
WITH latest AS (
    SELECT DISTINCT ON (a.item_key) a.item_key, a.outcome, a.sqlstate, a.message
    FROM etl.attempt AS a
    WHERE a.cycle_id = CAST(:cycle_id AS bigint)
    ORDER BY a.item_key ASC, a.finished_at DESC, a.outcome ASC
),

item AS (
    SELECT
        l.outcome, l.sqlstate, l.message,
        w.item_key IS NULL AS is_removed,
        p.parts[1] AS kind,
        p.parts[2] AS key,
        p.parts[3] AS dashboard,
        coalesce(t.name, g.name, 'gone') AS name
    FROM latest AS l
    CROSS JOIN LATERAL regexp_match(l.item_key, '^(topic|tag):([0-9]+)(?:/([a-z]+))?$') AS p (parts)
    LEFT JOIN cache.warmed AS w ON l.item_key = w.item_key
    LEFT JOIN cache.topics AS t ON p.parts[1] = 'topic' AND CAST(p.parts[2] AS bigint) = t.topic_id
    LEFT JOIN cache.tags AS g ON p.parts[1] = 'tag' AND CAST(p.parts[2] AS bigint) = g.tag_id
),

-- A topic is all its dashboards together, a tag stands alone.
whole AS (
    SELECT
        i.kind, i.key,
        bool_and(i.outcome = 'done') AS is_ok,
        bool_or(i.outcome IN ('failed', 'orphaned')) AS has_failed
    FROM item AS i
    GROUP BY i.kind, i.key
),

told AS (
    SELECT
        1 AS place, 'topics ok' AS what,
        CAST(count(*) FILTER (WHERE w.kind = 'topic' AND w.is_ok) AS text) AS value
    FROM whole AS w
    UNION ALL
    SELECT 2, 'topics failed', CAST(count(*) FILTER (WHERE w.kind = 'topic' AND w.has_failed) AS text)
    FROM whole AS w
    UNION ALL
    SELECT
        3, 'dashboards',
        CAST(count(*) FILTER (WHERE i.kind = 'topic' AND i.outcome = 'done' AND NOT i.is_removed) AS text)
    FROM item AS i
    UNION ALL
    SELECT 4, 'tags ok', CAST(count(*) FILTER (WHERE w.kind = 'tag' AND w.is_ok) AS text)
    FROM whole AS w
    UNION ALL
    SELECT 5, 'tags failed', CAST(count(*) FILTER (WHERE w.kind = 'tag' AND w.has_failed) AS text)
    FROM whole AS w
    UNION ALL
    SELECT 6, 'removed', CAST(count(*) AS text)
    FROM item AS i
    WHERE i.is_removed AND i.outcome = 'done'
    HAVING count(*) > 0
    UNION ALL
    SELECT 7, 'busy', CAST(count(*) AS text)
    FROM item AS i
    WHERE i.outcome = 'busy'
    HAVING count(*) > 0
    UNION ALL
    SELECT 8, 'items cached', CAST(count(*) AS text)
    FROM cache.warmed
    UNION ALL
    SELECT
        9,
        format('%s %s (%s)', i.kind, i.key, i.name),
        format(
            'failed: %s%s%s',
            -- The message begins with the name as well, unless the worker died.
            replace(coalesce(i.message, ''), format('%s %s (%s): ', i.kind, i.key, i.name), ''),
            ' [' || i.sqlstate || ']',
            ' (' || string_agg(i.dashboard, ', ' ORDER BY i.dashboard) || ')'
        )
    FROM item AS i
    WHERE i.outcome IN ('failed', 'orphaned')
    GROUP BY i.kind, i.key, i.name, i.sqlstate, i.message
)

SELECT t.what, t.value
FROM told AS t
ORDER BY t.place, t.what, t.value;
