-- The dirty users in the order in which they are refreshed, the first first.
--
--   psql -v as_of=2026-01-16 -v now=2026-01-16T03:00Z -v max_items=10 \
--        -v reserved_percent=10 -f prioritize.sql
--
-- Parameters: :'as_of'    the day that counts as today, UTC
--             :'now'      the moment the cycle began; items held beyond it are left out
--             :max_items  how many to list; NULL lists them all
--             :reserved_percent  share of the list for the users that have been dirty
--                         longest, 0 to 99; 0 leaves the order to the cascade alone
-- Returns:    item_key  dwh.dimension_users.dimension_user_id
--             level     1 critical to 6 lowest: see procedures/dirty_users.sql
--             weight    the user's actions: how long a refresh takes goes with them
-- Reads:      see procedures/dirty_users.sql; etl.held_item
-- Locks:      none
-- Cost:       in proportion to the dirty users, whatever the number of clean ones and of
--             facts: 0.3 to 0.4 s for 100,000, into the queue. Less where few are listed,
--             0.05 s for the first 500 of them: then no order is sorted to its end
--
-- Order: the cascade (recency, volume, total, latest, key), in which every tenth place
-- (at 10 percent) belongs to the user that has been dirty longest. Each user has a place
-- in both orders and gets the better one, so nobody is moved back by being old, and no
-- user is listed twice. Among the first n of the list are the n / 10 that have been dirty
-- longest, for any n: also a cycle that is cut short has done its share. So whoever is
-- the r-th longest dirty is refreshed after at most r / (max_items / 10) whole cycles,
-- however many active users keep coming.
WITH dirty AS MATERIALIZED (
    SELECT d.*
    FROM dwh.dirty_users(CAST(:'as_of' AS date)) AS d
    WHERE NOT EXISTS (
        SELECT FROM etl.held_item AS h
        WHERE
            h.job = 'datamart_users'
            AND h.item_key = CAST(d.dimension_user_id AS text)
            AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
    )
),

-- The two orders, each cut to what can get into the list, so that a short list of a
-- long backlog is a bounded sort. Total implies volume: more than 100, more than 10, the rest.
urgent AS (
    SELECT d.dimension_user_id, d.level, d.total_actions, d.last_action_at
    FROM dirty AS d
    ORDER BY d.level, d.total_actions DESC, d.last_action_at DESC NULLS LAST, d.dimension_user_id
    LIMIT CAST(:max_items AS bigint)
),

longest AS (
    SELECT d.dimension_user_id, d.level, d.total_actions, d.dirty_since
    FROM dirty AS d
    ORDER BY d.dirty_since, d.dimension_user_id
    LIMIT ceil(
        least(CAST(:max_items AS bigint), (SELECT count(*) FROM dirty))
        * CAST(:reserved_percent AS integer) / 100.0
    )
),

-- At s percent the k-th longest dirty comes right behind k (100 - s) / s of the cascade.
placed_urgent AS (
    SELECT
        u.dimension_user_id, u.level, u.total_actions,
        2 * greatest(CAST(:reserved_percent AS integer), 1) * row_number() OVER (
            ORDER BY
                u.level, u.total_actions DESC, u.last_action_at DESC NULLS LAST,
                u.dimension_user_id
        ) AS place
    FROM urgent AS u
),

placed_longest AS (
    SELECT
        o.dimension_user_id, o.level, o.total_actions,
        1 + 2 * (100 - CAST(:reserved_percent AS integer)) * row_number() OVER (
            ORDER BY o.dirty_since, o.dimension_user_id
        ) AS place
    FROM longest AS o
)

SELECT
    coalesce(u.dimension_user_id, o.dimension_user_id) AS item_key,
    coalesce(u.level, o.level) AS level,
    coalesce(u.total_actions, o.total_actions) AS weight
FROM placed_urgent AS u
FULL JOIN placed_longest AS o ON u.dimension_user_id = o.dimension_user_id
ORDER BY least(u.place, o.place), item_key
LIMIT CAST(:max_items AS bigint);
