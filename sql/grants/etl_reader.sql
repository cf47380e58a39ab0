-- What the role etl_reader may do in schema etl: read the ledger.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA etl TO etl_reader;

-- applied_file too: `etl sql list`, `etl verify` and dry runs compare their files with it.
GRANT SELECT ON
etl.applied_file, etl.cycle, etl.attempt, etl.held_item, etl.held, etl.progress, etl.freshness, etl.failures,
etl.control, etl.round, etl.done_range, etl.done_message, etl.queue, etl.queue_item, etl.queue_outcome, etl.crew
TO etl_reader;

-- Dry runs list ranges of keys.
GRANT EXECUTE ON FUNCTION etl.range_key, etl.range_of, etl.keys_left TO etl_reader;
