-- Moves what became of items into the ledger; who counts them is told once.
--
-- Parameters: :'cycle_id'
-- Returns:    at (seconds since 1970), outcome, worker, position, item_key, level, duration_ms,
--             sqlstate, message, weight, in the order in which they were finished
-- Writes:     etl.queue_outcome, etl.attempt
-- Locks:      the rows; those of items that are not committed yet are not seen
-- Cost:       in proportion to those taken
WITH taken AS (
    DELETE FROM etl.queue_outcome AS o
    WHERE o.cycle_id = CAST(:'cycle_id' AS bigint)
    RETURNING o.*
),

told AS (
    INSERT INTO etl.attempt (
        cycle_id, item_key, level, worker, outcome, finished_at, duration_ms, sqlstate, message, weight
    )
    SELECT
        t.cycle_id, t.item_key, t.level, t.worker, t.outcome, t.finished_at, t.duration_ms, t.sqlstate,
        t.message, t.weight
    FROM taken AS t
    WHERE t.outcome <> 'deferred'
)

SELECT
    CAST(extract(EPOCH FROM t.finished_at) AS double precision) AS at,
    t.outcome,
    t.worker,
    t.position,
    t.item_key,
    t.level,
    coalesce(t.duration_ms, 0) AS duration_ms,
    coalesce(t.sqlstate, '') AS sqlstate,
    coalesce(t.message, '') AS message,
    t.weight
FROM taken AS t
ORDER BY t.finished_at;
