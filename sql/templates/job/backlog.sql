-- How many unit_names are dirty now, by level: the whole backlog, held items left out.
--
--   psql -v now=2026-01-16T03:00Z -f backlog.sql
--
-- Parameters: :'now'    the moment of asking; items held beyond it are left out
--             :'as_of'  the day that counts as today, UTC: unused here, known all the same
-- Returns:    level, items, oldest_dirty_at; levels as in prioritize.sql
-- Reads:      what prioritize.sql reads
-- Locks:      none
-- Cost:       in proportion to the marks
WITH dirty AS (
    SELECT m.item_key, min(m.marked_at) AS dirty_since
    FROM job_schema.mark AS m
    GROUP BY m.item_key
)

SELECT
    CASE WHEN r.item_key IS NULL THEN 1 ELSE 2 END AS level,
    count(*) AS items,
    min(d.dirty_since) AS oldest_dirty_at
FROM dirty AS d
LEFT JOIN job_schema.result AS r ON d.item_key = r.item_key
WHERE
    NOT EXISTS (
        SELECT FROM etl.held_item AS h
        WHERE
            h.job = 'job_name'
            AND h.item_key = CAST(d.item_key AS text)
            AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
    )
GROUP BY level
ORDER BY level;
