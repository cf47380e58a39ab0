-- How long the dirty users have been so, by level, held items left out.
--
--   psql -v as_of=2026-01-16 -v now=2026-01-16T03:00Z -v without={} -f freshness.sql
--
-- Parameters: :'as_of'  the day that counts as today, UTC
--             :'now'    the moment of asking; items held beyond it are left out
--             :'without'  keys to leave out, an array: those that a cycle would take
-- Returns:    level, items, oldest_dirty_at, p95_dirty_at, p50_dirty_at; levels as in
--             procedures/dirty_users.sql. Of a hundred items five have been dirty since p95_dirty_at or
--             longer, fifty since p50_dirty_at
-- Reads:      what prioritize.sql reads
-- Locks:      none
-- Cost:       in proportion to the dirty users, sorted by date
SELECT
    d.level,
    count(*) AS items,
    min(d.dirty_since) AS oldest_dirty_at,
    percentile_disc(0.05) WITHIN GROUP (ORDER BY d.dirty_since) AS p95_dirty_at,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY d.dirty_since) AS p50_dirty_at
FROM dwh.dirty_users(CAST(:'as_of' AS date)) AS d
WHERE
    NOT EXISTS (
        SELECT FROM etl.held_item AS h
        WHERE
            h.job = 'datamart_users'
            AND h.item_key = CAST(d.dimension_user_id AS text)
            AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
    )
    AND CAST(d.dimension_user_id AS text) <> all(CAST(:'without' AS text[]))
GROUP BY d.level
ORDER BY d.level;
