-- Ends a round, and forgets which batches the rounds before it had.
--
-- Parameters: :round, :'now'
-- Returns:    nothing
-- Writes:     a row of etl.round; deletes rows of etl.done_range
-- Locks:      the rows written
-- Cost:       in proportion to the batches of the round before
WITH ended AS (
    UPDATE etl.round
    SET ended_at = CAST(:'now' AS timestamptz)
    WHERE round_id = CAST(:round AS integer)
    RETURNING job, scope
)

DELETE FROM etl.done_range AS d
USING etl.round AS r, ended AS e
WHERE
    d.round_id = r.round_id AND r.job = e.job AND r.scope = e.scope
    AND r.round_id < CAST(:round AS integer);
