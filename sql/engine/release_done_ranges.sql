-- Forgets the failures of the ranges whose keys have all been done in a round.
--
-- Parameters: :'job', :round
-- Returns:    nothing
-- Writes:     etl.held_item
-- Locks:      the rows deleted
-- Cost:       in proportion to the held items, and to the batches of the round
DELETE FROM etl.held_item AS h
USING (
    SELECT
        d.kind,
        range_agg(etl.key_range(d.first_key, d.last_key)) AS ranges
    FROM etl.done_range AS d
    WHERE d.round_id = CAST(:round AS integer)
    GROUP BY d.kind
) AS k
WHERE h.job = :'job' AND etl.range_of(h.item_key, k.kind) <@ k.ranges;
