-- Frees the lock under which one cycle of a job runs on this database.
--
-- Parameters: :'job'  name of the job
-- Returns:    one row, false where it was not held
-- Locks:      frees a session's advisory lock
-- Cost:       constant
SELECT pg_advisory_unlock(hashtextextended('etl cycle ' || :'job', 0));
