-- Takes the lock under which one cycle of a job runs on this database.
--
-- Parameters: :'job'  name of the job
-- Returns:    one row: true where it was taken, the server process of this session, and since
--             when it is connected
-- Reads:      pg_stat_activity
-- Locks:      a session's advisory lock; the connection's end frees it
-- Cost:       constant
SELECT
    pg_try_advisory_lock(hashtextextended('etl cycle ' || :'job', 0)) AS is_taken,
    a.pid,
    to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
FROM pg_stat_activity AS a
WHERE a.pid = pg_backend_pid();
