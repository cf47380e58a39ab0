-- What went wrong in a cycle, by outcome and SQLSTATE: how often, and one example.
--
-- Parameters: :'cycle_id'
-- Returns:    outcome, sqlstate (null where a worker died), attempts, item_key, message
-- Reads:      etl.attempt
-- Locks:      none
-- Cost:       in proportion to the attempts of the cycle that did not succeed
SELECT
    a.outcome,
    a.sqlstate,
    count(*) AS attempts,
    (array_agg(a.item_key ORDER BY a.finished_at DESC))[1] AS item_key,
    (array_agg(a.message ORDER BY a.finished_at DESC))[1] AS message
FROM etl.attempt AS a
WHERE a.cycle_id = CAST(:'cycle_id' AS bigint) AND a.outcome <> 'done'
GROUP BY a.outcome, a.sqlstate
ORDER BY attempts DESC, a.outcome ASC, a.sqlstate ASC;
