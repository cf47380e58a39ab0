-- The record of a cycle whose journal has not been told yet: it is open, or was closed
-- from another host as cut off, without its attempts. Where its queue is in the database it is
-- told as it comes, and from any host.
--
-- Parameters: :'cycle_id'
-- Returns:    job, started_at, as_of, max_items, workers, levels; or no row
-- Reads:      etl.cycle, etl.attempt
-- Locks:      the row, until the transaction ends
-- Cost:       constant
SELECT c.job, c.started_at, c.as_of, c.max_items, c.workers, c.levels
FROM etl.cycle AS c
WHERE
    c.cycle_id = CAST(:'cycle_id' AS bigint)
    AND CASE c.queue
        WHEN 'postgres' THEN c.finished_at IS NULL
        ELSE
            (c.finished_at IS NULL OR c.stop_reason = 'crashed')
            AND NOT EXISTS (SELECT FROM etl.attempt AS a WHERE a.cycle_id = c.cycle_id)
    END
FOR NO KEY UPDATE OF c;
