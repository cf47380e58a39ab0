-- How many items of a job are held, and how many of them quarantined.
--
-- Parameters: :'job', :'now'
-- Returns:    held (waiting for their back-off), quarantined
-- Reads:      etl.held_item
-- Locks:      none
-- Cost:       in proportion to the held items
SELECT
    count(*) FILTER (
        WHERE quarantined_at IS NULL AND held_until > CAST(:'now' AS timestamptz)
    ) AS held,
    count(*) FILTER (WHERE quarantined_at IS NOT NULL) AS quarantined
FROM etl.held_item
WHERE job = :'job';
