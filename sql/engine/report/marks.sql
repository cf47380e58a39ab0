-- The attempts of a cycle that were not done, by worker and moment: those of one outcome that lie
-- closely together are one row.
--
-- Parameters: :cycle_id      the cycle
--             :'started_at'  when it began
--             :slot_s        how closely, seconds
-- Returns:    worker, outcome, at_s (seconds since the cycle began), items, and the key and the
--             SQLSTATE of one of them
-- Reads:      etl.attempt
-- Locks:      none
-- Cost:       in proportion to these attempts
SELECT
    a.worker,
    a.outcome,
    CAST(min(t.at_s) AS double precision) AS at_s,
    count(*) AS items,
    min(a.item_key) AS item_key,
    min(a.sqlstate) AS sqlstate
FROM etl.attempt AS a
CROSS JOIN
    LATERAL (
        SELECT extract(EPOCH FROM a.finished_at - CAST(:'started_at' AS timestamptz)) AS at_s
    ) AS t
WHERE a.cycle_id = CAST(:cycle_id AS bigint) AND a.outcome <> 'done'
GROUP BY a.worker, a.outcome, floor(t.at_s / CAST(:slot_s AS double precision))
ORDER BY a.worker, at_s, a.outcome;
