-- Tells which connection a crew has now, where it had to find another one.
--
-- Parameters: :'cycle_id', :'crew'
-- Returns:    nothing
-- Writes:     etl.crew
-- Locks:      the row
-- Cost:       constant; once a second
UPDATE etl.crew SET server_process = pg_backend_pid(), since = clock_timestamp()
WHERE
    cycle_id = CAST(:'cycle_id' AS bigint) AND crew = CAST(:'crew' AS integer)
    AND server_process <> pg_backend_pid();
