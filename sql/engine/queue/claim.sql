-- Claims the first item behind a position that nobody has. The claim is the lock of its row, and
-- ends with the transaction, however that ends.
--
-- Parameters: :'cycle_id'
--             :'floor'     position of this worker's last claim. From there on, because index
--                          entries of items that are done stand before it until vacuum comes
-- Returns:    position, item_key, level, fields as a JSON array, is_slow, all as text; or no row
-- Reads:      etl.queue_item
-- Locks:      the row, until the transaction ends; locked ones are passed over
-- Cost:       constant, plus the items in the hands of others
SELECT
    CAST(i.position AS text) AS position,
    i.item_key,
    CAST(i.level AS text) AS level,
    CAST(to_json(i.fields) AS text) AS fields,
    CAST(i.is_slow AS text) AS is_slow
FROM etl.queue_item AS i
WHERE i.cycle_id = CAST(:'cycle_id' AS bigint) AND i.position > CAST(:'floor' AS bigint)
ORDER BY i.position
LIMIT 1
FOR UPDATE SKIP LOCKED;
