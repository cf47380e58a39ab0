-- Ends the sessions that workers have left behind, and waits until they have ended. The server
-- may not have noticed that nobody listens any more: it would finish the running item, and
-- begin the one that was sent behind it, while another worker has them.
--
-- Parameters: :'name'  the application_name of one worker, or a pattern (LIKE) of several
-- Returns:    how many were told to end
-- Reads:      pg_stat_activity
-- Locks:      none; the sessions' own are freed
-- Cost:       constant; 0.1 s for each that runs, 2 s for one that does not heed it
SELECT count(pg_terminate_backend(a.pid, 2000)) AS ended
FROM pg_stat_activity AS a
WHERE
    a.application_name LIKE :'name' AND a.pid != pg_backend_pid()
    AND a.datname = current_database() AND a.usename = current_user;
