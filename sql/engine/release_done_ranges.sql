-- Forgets the failures of the ranges of which a cycle has done a part. What of them failed again,
-- or was cut off, is held by its own bounds.
--
-- Parameters: :'job', :round, :cycle_id
-- Returns:    nothing
-- Writes:     etl.held_item
-- Locks:      the rows deleted
-- Cost:       in proportion to the held items, each against the batches of the round
DELETE FROM etl.held_item AS h
USING etl.done_range AS d
WHERE
    h.job = :'job' AND d.round_id = CAST(:round AS integer)
    AND d.cycle_id = CAST(:cycle_id AS bigint)
    AND etl.range_of(h.item_key, d.kind) && etl.key_range(d.first_key, d.last_key);
