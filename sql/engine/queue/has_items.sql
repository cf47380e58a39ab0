-- Whether there are items of a cycle, also such as somebody has claimed.
--
-- Parameters: :'cycle_id'
-- Returns:    one row
-- Reads:      etl.queue_item
-- Locks:      none
-- Cost:       constant, plus the index entries that vacuum has not removed yet
SELECT exists(
    SELECT FROM etl.queue_item AS i WHERE i.cycle_id = CAST(:'cycle_id' AS bigint)
);
