-- Acknowledges an item, in its own transaction; or, where its worker is dead, in one of its own.
-- Where it is a part of a key range, the rest takes its place, unless the queue is being ended.
--
-- The claim is taken off the queue in the same way here, in give_back.sql and in fail_deferred.sql.
-- Only a function could say that once, and each item would pay for the call.
--
-- Parameters: :'cycle_id', :'position', :'worker', :'outcome', :'sqlstate', :'message'
--             :'held_key'    key of the item as it was claimed: the rest of a range stands where the
--                            range stood, and is another item
--             :'item_key', :'weight'  what the ledger is told; a part of a range has its own
--             :'rest_key', :'rest'    key and fields of the rest; null: there is none
-- Returns:    one row: whether the item was there, and nobody else's
-- Writes:     etl.queue_item, etl.queue_outcome
-- Locks:      the rows; where there is a rest, the queue against being ended
-- Cost:       constant
WITH gone AS (
    DELETE FROM etl.queue_item AS i
    USING (
        SELECT f.cycle_id, f.position
        FROM etl.queue_item AS f
        WHERE
            f.cycle_id = CAST(:'cycle_id' AS bigint) AND f.position = CAST(:'position' AS bigint)
            AND f.item_key = CAST(:'held_key' AS text)
        FOR UPDATE SKIP LOCKED
    ) AS free
    WHERE i.cycle_id = free.cycle_id AND i.position = free.position
    RETURNING i.cycle_id, i.position, i.level, i.is_slow
),

told AS (
    INSERT INTO etl.queue_outcome (
        cycle_id, position, item_key, level, weight, worker, outcome, duration_ms, sqlstate, message
    )
    SELECT
        g.cycle_id, g.position, CAST(:'item_key' AS text), g.level, CAST(:'weight' AS double precision),
        CAST(:'worker' AS integer), CAST(:'outcome' AS text),
        CASE WHEN CAST(:'outcome' AS text) <> 'orphaned' THEN extract(EPOCH FROM clock_timestamp() - now()) * 1000 END,
        nullif(CAST(:'sqlstate' AS text), ''), nullif(CAST(:'message' AS text), '')
    FROM gone AS g
),

kept AS (
    INSERT INTO etl.queue_item (cycle_id, position, item_key, level, fields, is_slow)
    SELECT g.cycle_id, g.position, CAST(:'rest_key' AS text), g.level, CAST(:'rest' AS text[]), g.is_slow
    FROM gone AS g
    WHERE CASE
        WHEN CAST(:'rest_key' AS text) IS NOT NULL THEN EXISTS (
            SELECT FROM etl.queue AS q WHERE q.cycle_id = CAST(:'cycle_id' AS bigint)
            FOR KEY SHARE SKIP LOCKED
        )
    END
)

SELECT count(*) = 1 AS was_there FROM gone;
