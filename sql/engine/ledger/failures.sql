-- What went wrong in a cycle, by outcome and SQLSTATE.
--
-- Parameters: :cycle_id  the cycle
--             :most      how many rows
-- Returns:    outcome, sqlstate (null where there is none), attempts, the commonest message, how many
--             different messages there are, and the key of one of them
-- Reads:      etl.attempt: what is not done
-- Locks:      none
-- Cost:       a sort of these attempts
SELECT
    a.outcome,
    a.sqlstate,
    count(*) AS attempts,
    mode() WITHIN GROUP (ORDER BY a.message) AS message,
    count(DISTINCT a.message) AS messages,
    min(a.item_key) AS item_key
FROM etl.attempt AS a
WHERE a.cycle_id = CAST(:cycle_id AS bigint) AND a.outcome <> 'done'
GROUP BY a.outcome, a.sqlstate
ORDER BY attempts DESC, a.outcome ASC, a.sqlstate ASC
LIMIT CAST(:most AS bigint);
