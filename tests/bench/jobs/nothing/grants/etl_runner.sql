-- What the role etl_runner may do in schema bench_nothing.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA bench_nothing TO etl_runner;
GRANT SELECT ON bench_nothing.item TO etl_runner;
