-- What somebody wants of a cycle.
--
-- Parameters: :'job', :'cycle_id'
-- Returns:    one row: is_paused, pause_reason, is_cancelled, cancels_running, workers (null: as
--             many as there are)
-- Reads:      one row of etl.control
-- Locks:      none
-- Cost:       constant; once a second while a cycle runs
SELECT
    coalesce(c.paused_until > clock_timestamp(), FALSE) AS is_paused,
    c.pause_reason,
    coalesce(c.cancelled_cycle_id = o.cycle_id, FALSE) AS is_cancelled,
    coalesce(c.cancels_running, FALSE) AS cancels_running,
    CASE WHEN c.workers_cycle_id = o.cycle_id THEN c.workers END AS workers
FROM (SELECT CAST(:'cycle_id' AS bigint) AS cycle_id) AS o
LEFT JOIN etl.control AS c ON c.job = :'job';
