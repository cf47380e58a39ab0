-- Ends a session of one's own that the server keeps although its client has lost it.
--
-- Parameters: :'pid'  server process of the session
-- Returns:    one row, true where it was told to end; or none where it has ended
-- Reads:      pg_stat_activity
-- Locks:      none; the session's own are freed
-- Cost:       constant
SELECT pg_terminate_backend(a.pid)
FROM pg_stat_activity AS a
WHERE a.pid = CAST(:'pid' AS integer) AND a.usename = current_user;
