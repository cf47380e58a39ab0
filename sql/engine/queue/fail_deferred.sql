-- Tells a deferred item as failed, because it comes no more in this cycle.
--
-- Parameters: :'cycle_id', :'item_key', :'worker', :'sqlstate', :'message'
-- Returns:    one row: whether the item was there, and nobody else's
-- Writes:     etl.queue_item, etl.queue_outcome
-- Locks:      the rows
-- Cost:       constant
WITH gone AS (
    DELETE FROM etl.queue_item AS i
    USING (
        SELECT f.cycle_id, f.position
        FROM etl.queue_item AS f
        WHERE
            f.cycle_id = CAST(:'cycle_id' AS bigint) AND f.item_key = CAST(:'item_key' AS text)
            AND f.deferred_worker IS NOT NULL
        FOR UPDATE SKIP LOCKED
    ) AS free
    WHERE i.cycle_id = free.cycle_id AND i.position = free.position
    RETURNING i.cycle_id, i.position, i.item_key, i.level
),

told AS (
    INSERT INTO etl.queue_outcome (
        cycle_id, position, item_key, level, worker, outcome, duration_ms, sqlstate, message
    )
    SELECT
        g.cycle_id, g.position, g.item_key, g.level, CAST(:'worker' AS integer), 'failed', 0,
        nullif(CAST(:'sqlstate' AS text), ''), nullif(CAST(:'message' AS text), '')
    FROM gone AS g
)

SELECT count(*) = 1 AS was_there FROM gone;
