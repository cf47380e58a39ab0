-- What the role etl_runner may do in schema bench_costly.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA bench_costly TO etl_runner;
GRANT SELECT ON bench_costly.item TO etl_runner;
