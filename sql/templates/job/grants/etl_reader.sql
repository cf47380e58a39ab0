-- What the role etl_reader may do in schema job_schema: read it, verify, dry runs.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA job_schema TO etl_reader;
GRANT SELECT ON job_schema.mark, job_schema.result TO etl_reader;
