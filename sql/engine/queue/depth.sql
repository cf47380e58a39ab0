-- How many items of a cycle nobody has claimed: whoever has locked a row has left the number of
-- its transaction there.
--
-- Parameters: :'cycle_id'
-- Returns:    one row: how many; and how many there are with those claimed
-- Reads:      etl.queue_item, pg_locks
-- Locks:      none
-- Cost:       in proportion to the items left
SELECT
    count(*) FILTER (
        WHERE CAST(i.xmax AS text) NOT IN (
            SELECT CAST(l.transactionid AS text) FROM pg_locks AS l
            WHERE l.locktype = 'transactionid' AND l.granted AND l.transactionid IS NOT NULL
        )
    ) AS free,
    count(*) AS left_over
FROM etl.queue_item AS i
WHERE i.cycle_id = CAST(:'cycle_id' AS bigint);
