-- How long the dirty users have been so, by level, held items left out.
--
--   psql -v as_of=2026-01-16 -v now=2026-01-16T03:00Z -v without={} -f freshness.sql
--
-- Parameters: :'as_of'  the day that counts as today, UTC
--             :'now'    the moment of asking; items held beyond it are left out
--             :'without'  keys to leave out, an array: those that a cycle would take
-- Returns:    level, items, oldest_dirty_at, p95_dirty_at, p50_dirty_at; levels as in
--             prioritize.sql. Of a hundred items five have been dirty since p95_dirty_at or
--             longer, fifty since p50_dirty_at
-- Reads:      what prioritize.sql reads
-- Locks:      none
-- Cost:       in proportion to the dirty users, sorted by date
WITH dirty AS (
    SELECT u.dimension_user_id, u.total_actions, u.last_action_at, u.dirty_since
    FROM dwh.dimension_users AS u
    WHERE u.modified
    UNION ALL
    SELECT
        u.dimension_user_id, u.total_actions, u.last_action_at,
        CAST(d.next_change_on AS timestamp) AT TIME ZONE 'UTC'
    FROM dwh.datamart_users AS d
    JOIN dwh.dimension_users AS u ON d.dimension_user_id = u.dimension_user_id
    WHERE d.next_change_on <= CAST(:'as_of' AS date) AND NOT u.modified
)

SELECT
    CASE
        WHEN d.last_action_at >= CAST(:'as_of' AS date) - 7 THEN 1
        WHEN d.last_action_at >= CAST(:'as_of' AS date) - 30 THEN 2
        WHEN d.last_action_at >= CAST(:'as_of' AS date) - 90 THEN 3
        WHEN d.total_actions > 100 THEN 4
        WHEN d.total_actions > 10 THEN 5
        ELSE 6
    END AS level,
    count(*) AS items,
    min(d.dirty_since) AS oldest_dirty_at,
    percentile_disc(0.05) WITHIN GROUP (ORDER BY d.dirty_since) AS p95_dirty_at,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY d.dirty_since) AS p50_dirty_at
FROM dirty AS d
WHERE
    NOT EXISTS (
        SELECT FROM etl.held_item AS h
        WHERE
            h.job = 'datamart_users'
            AND h.item_key = CAST(d.dimension_user_id AS text)
            AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
    )
    AND CAST(d.dimension_user_id AS text) <> all(CAST(:'without' AS text[]))
GROUP BY 1
ORDER BY 1;
