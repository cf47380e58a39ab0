-- What the backends of a bench do at this moment.
--
-- Parameters: :'pids'  their server processes (array of integer)
-- Returns:    state, wait_event_type, wait_event, how many are at that; the waits are null
--             where a backend runs or waits for a processor
-- Reads:      pg_stat_activity
-- Locks:      none
-- Cost:       in proportion to the sessions of the server; ten times a second
SELECT a.state, a.wait_event_type, a.wait_event, count(*) AS backends
FROM pg_stat_activity AS a
WHERE a.pid = any(CAST(:'pids' AS integer[]))
GROUP BY a.state, a.wait_event_type, a.wait_event;
