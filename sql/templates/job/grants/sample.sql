-- Reading source_table, which belongs to this job's owner. For a table of somebody else's
-- that person grants it: docs/adding-a-job.md.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the object named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT SELECT ON source_table TO etl_runner, etl_reader;
