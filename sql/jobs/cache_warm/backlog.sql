-- How many items are to be warmed, or removed, by level; held items left out.
--
--   psql -v as_of=2026-01-16 -v now=2026-01-16T03:00Z -v dashboards_only=false -v topic= \
--        -v refresh=false -v clear=false -v stale_only=false -f backlog.sql
--
-- Parameters: :'as_of'    the day that counts as today, UTC
--             :'now'      the moment of asking; items held beyond it are left out, unless
--                         they are to be removed
--             :'dashboards_only', :'topic', :'refresh', :'clear', :'stale_only'
--                         the options of the command: see procedures/dirty_items.sql
-- Returns:    level, items, oldest_dirty_at; levels as in prioritize.sql
-- Reads:      what prioritize.sql reads
-- Locks:      none
-- Cost:       that of prioritize.sql
SELECT
    d.level,
    count(*) AS items,
    min(d.dirty_since) AS oldest_dirty_at
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
GROUP BY d.level
ORDER BY d.level;
