-- Takes a crew out of a cycle. Its number is not given to another one.
--
-- Parameters: :'cycle_id', :'crew'
-- Returns:    nothing
-- Writes:     etl.crew
-- Locks:      the row
-- Cost:       constant
UPDATE etl.crew SET left_at = clock_timestamp()
WHERE cycle_id = CAST(:'cycle_id' AS bigint) AND crew = CAST(:'crew' AS integer);
