-- How many connections the server has left for a cycle.
--
-- Parameters: none
-- Returns:    one row: most (max_connections), reserved (for superusers and the roles that have
--             a reserve), used now by clients
-- Reads:      pg_stat_activity; other users' rows count as well
-- Locks:      none
-- Cost:       constant
SELECT
    CAST(current_setting('max_connections') AS integer) AS most,
    CAST(current_setting('superuser_reserved_connections') AS integer)
    + coalesce(CAST(current_setting('reserved_connections', TRUE) AS integer), 0) AS reserved,
    (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend') AS used;
