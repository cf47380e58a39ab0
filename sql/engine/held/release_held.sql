-- Releases the held items of a job, all or those that failed in one way.
--
-- Parameters: :'job'
--             :'sqlstate'  a code or how it begins; empty: any, and none
--             :'outcome'   failed, orphaned; empty: both
-- Returns:    item_key of each item that was held and is not any more
-- Writes:     etl.held_item
-- Locks:      the rows deleted
-- Cost:       in proportion to the held items of the job
DELETE FROM etl.held_item AS h
WHERE
    h.job = :'job'
    AND starts_with(coalesce(h.last_sqlstate, ''), :'sqlstate')
    AND :'outcome' IN ('', h.last_outcome)
RETURNING h.item_key;
