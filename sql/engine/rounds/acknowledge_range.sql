-- Acknowledges a batch: the engine sends it right behind process.sql, in the same transaction.
--
-- Parameters: :round, :'kind', :first_key, :last_key, :weight (keys in between), :cycle_id
-- Returns:    nothing
-- Writes:     a row of etl.done_range
-- Locks:      that row
-- Cost:       constant
INSERT INTO etl.done_range AS d (round_id, kind, first_key, last_key, keys, cycle_id)
VALUES (
    CAST(:round AS integer), CAST(:'kind' AS text), CAST(:first_key AS bigint), CAST(:last_key AS bigint),
    CAST(:weight AS bigint), CAST(:cycle_id AS bigint)
)
-- Where one is done again, at a key where another one began, the longer of the two counts.
ON CONFLICT (round_id, kind, first_key) DO UPDATE SET
    last_key = greatest(d.last_key, excluded.last_key),
    keys = greatest(d.keys, excluded.keys),
    cycle_id = excluded.cycle_id;
