-- Takes the lock under which one cycle of a job runs on this database.
--
-- Parameters: :'job'  name of the job
-- Returns:    one row: true where it was taken, and the server process of this session
-- Locks:      a session's advisory lock; the connection's end frees it
-- Cost:       constant
SELECT pg_try_advisory_lock(hashtextextended('etl cycle ' || :'job', 0)), pg_backend_pid();
