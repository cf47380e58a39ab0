-- Takes a crew out of a cycle.
--
-- Parameters: :'cycle_id', :'crew'
-- Returns:    nothing
-- Writes:     etl.crew
-- Locks:      the row
-- Cost:       constant
DELETE FROM etl.crew AS c
WHERE c.cycle_id = CAST(:'cycle_id' AS bigint) AND c.crew = CAST(:'crew' AS integer);
