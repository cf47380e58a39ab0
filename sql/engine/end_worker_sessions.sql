-- Ends the sessions that a worker has left behind. The server may not have noticed that nobody
-- listens any more, and would begin the item that was sent behind the running one, while
-- another worker has it.
--
-- Parameters: :'name'  the worker's application_name
-- Returns:    how many were told to end
-- Reads:      pg_stat_activity
-- Locks:      none; the sessions' own are freed
-- Cost:       constant
SELECT count(pg_terminate_backend(a.pid)) AS ended
FROM pg_stat_activity AS a
WHERE
    a.application_name = :'name' AND a.pid != pg_backend_pid()
    AND a.datname = current_database() AND a.usename = current_user;
