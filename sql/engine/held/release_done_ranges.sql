-- Forgets the failures of the ranges of which a part was done in this round, in the cycle that they
-- failed in or later: the server may have finished a batch of a worker that was killed. What of
-- them failed again, or was cut off, is held by its own bounds.
--
-- Parameters: :'job', :round
-- Returns:    nothing
-- Writes:     etl.held_item
-- Locks:      the rows deleted
-- Cost:       in proportion to the held items, each against the batches of the round
DELETE FROM etl.held_item AS h
USING etl.done_range AS d
WHERE
    h.job = :'job' AND d.round_id = CAST(:round AS integer)
    AND d.cycle_id >= h.last_cycle_id
    AND etl.range_of(h.item_key, d.kind) && int8range(d.first_key, d.last_key, '[]');
