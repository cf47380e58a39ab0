-- The dirty unit_names in the order in which they are refreshed, the first first.
--
--   psql -v now=2026-01-16T03:00Z -v max_items=10 -v reserved_percent=10 -f prioritize.sql
--
-- Parameters: :'now'      the moment the cycle began; items held beyond it are left out
--             :max_items  how many to list; NULL lists them all
--             :reserved_percent  share of the list for those that have been dirty longest,
--                         0 to 99; 0 leaves the order to the levels alone
--             :'as_of'    the day that counts as today, UTC: unused here, known all the same
-- Returns:    item_key  source_table.source_key
--             level     1 new:   it has no result yet
--                       2 stale: it has one, out of date
-- Reads:      job_schema.mark, job_schema.result, etl.held_item; never source_table
-- Locks:      none
-- Cost:       in proportion to the marks
--
-- Order: level, then who has been dirty longest, the key last: no two have the same place.
-- Make the levels your own: who waits for which result? Name them in job.toml, and count
-- them by the same rule in backlog.sql.
WITH dirty AS (
    SELECT m.item_key, min(m.marked_at) AS dirty_since
    FROM job_schema.mark AS m
    GROUP BY m.item_key
),

placed AS (
    SELECT
        d.item_key, l.level,
        row_number() OVER (ORDER BY l.level, d.dirty_since, d.item_key) AS urgent_place,
        row_number() OVER (ORDER BY d.dirty_since, d.item_key) AS oldest_place
    FROM dirty AS d
    LEFT JOIN job_schema.result AS r ON d.item_key = r.item_key
    CROSS JOIN LATERAL (SELECT CASE WHEN r.item_key IS NULL THEN 1 ELSE 2 END AS level) AS l
    WHERE NOT EXISTS (
        SELECT FROM etl.held_item AS h
        WHERE
            h.job = 'job_name'
            AND h.item_key = CAST(d.item_key AS text)
            AND (h.quarantined_at IS NOT NULL OR h.held_until > CAST(:'now' AS timestamptz))
    )
)

SELECT p.item_key, p.level
FROM placed AS p
-- Each has a place in both orders and gets the better one: at 10 percent every tenth place
-- belongs to the longest dirty, so that a steady stream of new ones starves nobody.
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
