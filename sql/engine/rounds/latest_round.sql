-- The latest round of a scope.
--
-- Parameters: :'job', :'scope' (JSON)
-- Returns:    round_id, and whether it is open; no row where there was none
-- Reads:      etl.round
-- Locks:      none
-- Cost:       in proportion to the rounds
SELECT
    r.round_id,
    r.ended_at IS NULL AS is_open
FROM etl.round AS r
WHERE r.job = :'job' AND r.scope = CAST(:'scope' AS jsonb)
ORDER BY r.round_id DESC
LIMIT 1;
