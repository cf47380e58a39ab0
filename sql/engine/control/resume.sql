-- Lets the cycles of a job claim again.
--
-- Parameters: :'job'
-- Returns:    one row where the job was paused, else none
-- Writes:     one row of etl.control
-- Locks:      that row
-- Cost:       constant
UPDATE etl.control
SET paused_until = NULL, pause_reason = NULL, changed_at = clock_timestamp(), changed_by = session_user
WHERE job = :'job' AND paused_until > clock_timestamp()
RETURNING job;
