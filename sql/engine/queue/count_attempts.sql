-- What the attempts of a cycle came to.
--
-- Parameters: :'cycle_id'
-- Returns:    level, outcome, attempts, weight (their sum)
-- Reads:      etl.attempt
-- Locks:      none
-- Cost:       in proportion to the attempts
SELECT a.level, a.outcome, count(*) AS attempts, sum(coalesce(a.weight, 0)) AS weight
FROM etl.attempt AS a
WHERE a.cycle_id = CAST(:'cycle_id' AS bigint)
GROUP BY a.level, a.outcome;
