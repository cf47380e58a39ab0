-- Forgets the failures of the items that a cycle has done.
--
-- Parameters: :'cycle_id', :'job'
-- Returns:    nothing
-- Writes:     etl.held_item
-- Locks:      the rows deleted
-- Cost:       in proportion to the held items
DELETE FROM etl.held_item AS h
WHERE
    h.job = :'job'
    AND EXISTS (
        SELECT FROM etl.attempt AS a
        WHERE
            a.cycle_id = CAST(:'cycle_id' AS bigint)
            AND a.outcome = 'done' AND a.item_key = h.item_key
    );
