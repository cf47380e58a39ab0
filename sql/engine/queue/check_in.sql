-- Tells that a crew is at work, and over which connection.
--
-- Parameters: :'cycle_id', :'crew'
-- Returns:    nothing
-- Writes:     etl.crew
-- Locks:      the row
-- Cost:       constant; once a second
UPDATE etl.crew SET server_process = pg_backend_pid(), since = clock_timestamp()
WHERE cycle_id = CAST(:'cycle_id' AS bigint) AND crew = CAST(:'crew' AS integer);
