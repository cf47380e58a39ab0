-- Ends the queue of a cycle whose workers are gone. Who was deferred has failed, also where no
-- second try came: else the item would cost every cycle the same again, and never be held.
--
-- Parameters: :'cycle_id'
-- Returns:    nothing
-- Writes:     etl.queue_item, etl.queue_outcome, etl.crew
-- Locks:      the rows; it waits for those of items in hand
-- Cost:       in proportion to the items left
WITH gone AS (
    DELETE FROM etl.queue_item AS i
    WHERE i.cycle_id = CAST(:'cycle_id' AS bigint)
    RETURNING i.*
),

dismissed AS (
    DELETE FROM etl.crew AS c WHERE c.cycle_id = CAST(:'cycle_id' AS bigint)
)

INSERT INTO etl.queue_outcome (
    cycle_id, position, item_key, level, worker, outcome, duration_ms, sqlstate, message
)
SELECT
    g.cycle_id, g.position, g.item_key, g.level, g.deferred_worker, 'failed', 0, g.deferred_sqlstate,
    g.deferred_message || '; the cycle ended before it came again'
FROM gone AS g
WHERE g.deferred_worker IS NOT NULL;
