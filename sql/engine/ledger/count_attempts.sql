-- What the attempts of a cycle came to.
--
-- Parameters: :'cycle_id'
-- Returns:    level, outcome, attempts, weight (their sum; a key that came while the cycle ran has
--             none, and counts where it fails)
-- Reads:      etl.attempt
-- Locks:      none
-- Cost:       in proportion to the attempts
SELECT
    a.level,
    a.outcome,
    count(*) AS attempts,
    sum(greatest(a.weight, CASE WHEN a.outcome = 'done' THEN 0 ELSE 1 END)) AS weight
FROM etl.attempt AS a
WHERE a.cycle_id = CAST(:'cycle_id' AS bigint)
GROUP BY a.level, a.outcome;
