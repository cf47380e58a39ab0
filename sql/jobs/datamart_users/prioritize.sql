-- The dirty users in the order in which they are refreshed, the first first.
--
--   psql -v as_of=2026-01-16 -v now=2026-01-16T03:00Z -v max_items=10 -f prioritize.sql
--
-- Parameters: :'as_of'    the day that counts as today, UTC
--             :'now'      the moment the cycle began; items held beyond it are left out
--             :max_items  how many to list; NULL lists them all
-- Returns:    item_key  dwh.dimension_users.dimension_user_id
--             level     1 critical: an action in the last 7 days
--                       2 high:     in the last 30 days
--                       3 medium:   in the last 90 days
--                       4 very active:       longer ago, more than 100 actions
--                       5 moderately active: longer ago, more than 10
--                       6 lowest:            longer ago or never, 10 or fewer
-- Reads:      the dirty rows of dwh.dimension_users, by partial index; the due rows
--             of dwh.datamart_users, by index; etl.held_item. Never dwh.facts
-- Locks:      none
-- Cost:       1.5 us a dirty user when all are listed, 0.5 us when the first 500 are,
--             whatever the number of clean users and of facts
WITH today AS (SELECT CAST(:'as_of' AS date) AS as_of),

dirty AS (
    SELECT u.dimension_user_id, u.total_actions, u.last_action_at
    FROM dwh.dimension_users AS u
    WHERE u.modified
    UNION ALL
    -- Time passing is a change too: the mark is clear, the row is out of date.
    SELECT u.dimension_user_id, u.total_actions, u.last_action_at
    FROM dwh.datamart_users AS d
    JOIN dwh.dimension_users AS u ON d.dimension_user_id = u.dimension_user_id
    WHERE d.next_change_on <= (SELECT t.as_of FROM today AS t) AND NOT u.modified
),

ranked AS (
    SELECT
        d.*,
        CASE
            WHEN d.last_action_at >= t.as_of - 7 THEN 1
            WHEN d.last_action_at >= t.as_of - 30 THEN 2
            WHEN d.last_action_at >= t.as_of - 90 THEN 3
            ELSE 4
        END AS recency,
        CASE
            WHEN d.total_actions > 100 THEN 0
            WHEN d.total_actions > 10 THEN 1
            ELSE 2
        END AS volume
    FROM dirty AS d
    CROSS JOIN today AS t
    WHERE NOT EXISTS (
        SELECT FROM etl.held_item AS h
        WHERE
            h.job = 'datamart_users'
            AND h.item_key = CAST(d.dimension_user_id AS text)
            AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
    )
)

SELECT
    dimension_user_id AS item_key,
    CASE WHEN recency = 4 THEN 4 + volume ELSE recency END AS level
FROM ranked
ORDER BY
    recency,
    volume,
    total_actions DESC,
    last_action_at DESC NULLS LAST,
    dimension_user_id
LIMIT CAST(:max_items AS bigint);
