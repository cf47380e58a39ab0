-- Gives an item back: it goes to the end of the queue, unless that is being ended.
--
-- Parameters: :'cycle_id', :'position', :'worker'
--             :'held_key'    key of the item as it was claimed: the rest of a range stands where the
--                            range stood, and is another item
--             :'is_slow'     true: it ran into the statement timeout; null: as before
--             :'sqlstate', :'message'  where it failed for now, how; null: no attempt came about
-- Returns:    one row: whether the item was there, and nobody else's
-- Writes:     etl.queue_item; where it failed, etl.queue_outcome
-- Locks:      the rows; the queue against being ended
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
    RETURNING i.*
),

told AS (
    INSERT INTO etl.queue_outcome (
        cycle_id, position, item_key, level, worker, outcome, duration_ms, sqlstate, message
    )
    SELECT
        g.cycle_id, g.position, g.item_key, g.level, CAST(:'worker' AS integer), 'deferred',
        extract(EPOCH FROM clock_timestamp() - now()) * 1000,
        nullif(CAST(:'sqlstate' AS text), ''),
        CAST(:'message' AS text)
    FROM gone AS g
    WHERE CAST(:'message' AS text) IS NOT NULL
),

again AS (
    INSERT INTO etl.queue_item (
        cycle_id, position, item_key, level, fields, is_slow, deferred_worker, deferred_sqlstate,
        deferred_message
    )
    SELECT
        g.cycle_id, nextval('etl.queue_end'), g.item_key, g.level, g.fields,
        coalesce(CAST(:'is_slow' AS boolean), g.is_slow),
        CASE WHEN CAST(:'message' AS text) IS NOT NULL THEN CAST(:'worker' AS integer) END,
        nullif(CAST(:'sqlstate' AS text), ''), CAST(:'message' AS text)
    FROM gone AS g
    WHERE EXISTS (
        SELECT FROM etl.queue AS q WHERE q.cycle_id = CAST(:'cycle_id' AS bigint)
        FOR KEY SHARE SKIP LOCKED
    )
)

SELECT count(*) = 1 AS was_there FROM gone;
