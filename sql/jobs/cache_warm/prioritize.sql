-- The items to be warmed, or removed, in the order in which that is done, the first first.
--
--   psql -v as_of=2026-01-16 -v now=2026-01-16T03:00Z -v max_items=10 -v reserved_percent=10 \
--        -v dashboards_only=false -v topic= -v refresh=false -v clear=false \
--        -v stale_only=false -f prioritize.sql
--
-- Parameters: :'as_of'    the day that counts as today, UTC
--             :'now'      the moment the cycle began; items held beyond it are left out, unless
--                         they are to be removed: that does not fail as computing did
--             :max_items  how many to list; NULL lists them all
--             :reserved_percent  share of the list for those that have been dirty longest,
--                         0 to 99; 0 leaves the order to levels and reads alone
--             :'dashboards_only', :'topic', :'refresh', :'clear', :'stale_only'
--                         the options of the command: see procedures/dirty_items.sql
-- Returns:    item_key  'topic:1/digital' or 'tag:5'
--             level     1 dashboards, 2 tags
--             weight    from how many entries it was computed last: how long it takes goes
--                       with them; null where it is missing
--             clear     the option, for process.sql
-- Reads:      see procedures/dirty_items.sql; etl.held_item
-- Locks:      none
-- Cost:       in proportion to what is dirty; next to nothing where nothing is
--
-- Order: level, then most read first, then who expires soonest, what is missing before; key
-- and dashboard last, so that no two have the same place.
WITH placed AS (
    SELECT
        d.item_key, d.level, d.entries,
        row_number() OVER (
            ORDER BY d.level, d.hits DESC, d.expires_at NULLS FIRST, d.key, d.dashboard
        ) AS urgent_place,
        row_number() OVER (
            ORDER BY
                d.dirty_since, d.level, d.hits DESC, d.expires_at NULLS FIRST, d.key,
                d.dashboard
        ) AS oldest_place
    FROM
        cache.dirty_items(
            CAST(:'as_of' AS date), CAST(:'now' AS timestamptz),
            CAST(:'dashboards_only' AS boolean), CAST(:'topic' AS text),
            CAST(:'refresh' AS boolean), CAST(:'clear' AS boolean), CAST(:'stale_only' AS boolean)
        ) AS d
    WHERE
        CAST(:'clear' AS boolean)
        OR NOT EXISTS (
            SELECT FROM etl.held_item AS h
            WHERE
                h.job = 'cache_warm'
                AND h.item_key = d.item_key
                AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
        )
)

SELECT p.item_key, p.level, p.entries AS weight, CAST(:'clear' AS boolean) AS clear
FROM placed AS p
-- Each has a place in both orders and gets the better one: at 10 percent every tenth place
-- belongs to the longest dirty, so that however much is read, nothing is starved.
ORDER BY
    least(
        CAST(:reserved_percent AS integer) * p.urgent_place,
        CASE
            WHEN CAST(:reserved_percent AS integer) > 0
                THEN (100 - CAST(:reserved_percent AS integer)) * p.oldest_place
        END
    ),
    p.urgent_place
LIMIT CAST(:max_items AS bigint);
