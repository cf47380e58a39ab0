-- The latest cycle of a job whose record is open: it runs, or was cut off.
--
-- Parameters: :'job'
-- Returns:    one row, or none: started_at, queued (at most so many items, null before they are
--             counted), done, failed, busy, orphaned, workers, predicted_s, is_waiting
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       constant, by index
SELECT
    c.started_at,
    CASE WHEN c.levels <> '[]' THEN least(c.max_items, c.found) END AS queued,
    c.done,
    c.failed,
    c.busy,
    c.orphaned,
    c.workers,
    c.predicted_s,
    c.waits_for IS NOT NULL AS is_waiting
FROM etl.cycle AS c
WHERE c.job = :'job' AND c.finished_at IS NULL
ORDER BY c.started_at DESC, c.cycle_id DESC
LIMIT 1;
