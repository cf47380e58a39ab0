-- What the role etl_runner may do in schema job_schema: run cycles and mark.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA job_schema TO etl_runner;
GRANT SELECT, INSERT (item_key), DELETE ON job_schema.mark TO etl_runner;
GRANT SELECT, INSERT, UPDATE, DELETE ON job_schema.result TO etl_runner;

REVOKE EXECUTE ON PROCEDURE job_schema.refresh FROM public;
GRANT EXECUTE ON PROCEDURE job_schema.refresh TO etl_runner;
