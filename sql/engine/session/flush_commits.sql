-- Waits until all that was committed before is on the server's disk. Only a synchronous commit of
-- something written does that, so an empty message is written that nobody reads.
--
-- Parameters: none
-- Returns:    one row
-- Writes:     some bytes of WAL
-- Locks:      none
-- Cost:       one flush of the WAL
SELECT
    set_config('synchronous_commit', 'on', TRUE),
    pg_logical_emit_message(TRUE, 'etl', '') AS written_at;
