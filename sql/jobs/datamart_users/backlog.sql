-- How many users are dirty now, by level: the whole backlog, held items left out.
--
--   psql -v as_of=2026-01-16 -v now=2026-01-16T03:00Z -f backlog.sql
--
-- Parameters: :'as_of'  the day that counts as today, UTC
--             :'now'    the moment of asking; items held beyond it are left out
-- Returns:    level, items, oldest_dirty_at; levels as in
--             procedures/dirty_users.sql
-- Reads:      what prioritize.sql reads
-- Locks:      none
-- Cost:       about 0.5 us a dirty user: no sort
SELECT
    d.level,
    count(*) AS items,
    min(d.dirty_since) AS oldest_dirty_at
FROM dwh.dirty_users(CAST(:'as_of' AS date)) AS d
WHERE
    NOT EXISTS (
        SELECT FROM etl.held_item AS h
        WHERE
            h.job = 'datamart_users'
            AND h.item_key = CAST(d.dimension_user_id AS text)
            AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
    )
GROUP BY d.level
ORDER BY d.level;
