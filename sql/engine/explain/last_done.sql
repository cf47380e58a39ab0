-- The item of a job that was processed last.
--
-- Parameters: :'job'
-- Returns:    item_key; no row where the ledger knows none
-- Reads:      etl.cycle, the attempts of one cycle
-- Locks:      none
-- Cost:       in proportion to the attempts of the last cycle that did any
SELECT a.item_key
FROM etl.attempt AS a
WHERE
    a.cycle_id = (
        SELECT c.cycle_id FROM etl.cycle AS c
        WHERE c.job = :'job' AND c.done > 0
        ORDER BY c.cycle_id DESC LIMIT 1
    )
    AND a.outcome = 'done'
ORDER BY a.finished_at DESC, a.item_key
LIMIT 1;
