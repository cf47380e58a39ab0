-- Asks one cycle of a job to have another number of workers.
--
-- Parameters: :'job', :'cycle_id', :'workers'
-- Returns:    nothing
-- Writes:     one row of etl.control
-- Locks:      that row
-- Cost:       constant
INSERT INTO etl.control AS c (job, workers_cycle_id, workers)
VALUES (:'job', CAST(:'cycle_id' AS bigint), CAST(:'workers' AS integer))
ON CONFLICT (job) DO UPDATE SET
    workers_cycle_id = excluded.workers_cycle_id,
    workers = excluded.workers,
    changed_at = clock_timestamp(),
    changed_by = session_user;
