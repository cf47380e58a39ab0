-- Asks one cycle of a job to end.
--
-- Parameters: :'job', :'cycle_id'
--             :'cancels_running'  whether it cancels what is in hand as well
-- Returns:    nothing
-- Writes:     one row of etl.control
-- Locks:      that row
-- Cost:       constant
INSERT INTO etl.control AS c (job, cancelled_cycle_id, cancels_running)
VALUES (:'job', CAST(:'cycle_id' AS bigint), CAST(:'cancels_running' AS boolean))
ON CONFLICT (job) DO UPDATE SET
    cancelled_cycle_id = excluded.cancelled_cycle_id,
    cancels_running = excluded.cancels_running,
    changed_at = clock_timestamp(),
    changed_by = session_user;
