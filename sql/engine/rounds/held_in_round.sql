-- How many ranges of a round wait for their back-off: not quarantined, within these keys, and of
-- a kind of which the round has done something.
--
-- Parameters: :'job', :round, :from_key, :to_key, :'now'
-- Returns:    one row: held
-- Reads:      etl.held_item, etl.done_range
-- Locks:      none
-- Cost:       in proportion to the held items
SELECT count(*) AS held
FROM etl.held_item AS h
CROSS JOIN LATERAL (SELECT regexp_replace(h.item_key, ':[^:]*$', '') AS kind) AS k
WHERE
    h.job = :'job' AND h.quarantined_at IS NULL AND h.held_until > CAST(:'now' AS timestamptz)
    AND etl.range_of(h.item_key, k.kind) && int8range(CAST(:from_key AS bigint), CAST(:to_key AS bigint), '[]')
    AND EXISTS (
        SELECT FROM etl.done_range AS d
        WHERE d.round_id = CAST(:round AS integer) AND d.kind = k.kind
    );
