-- Opens the record of a cycle.
--
-- Parameters: :'job', :'started_at', :'host', :'pid', :'etl_version', :'as_of'
-- Returns:    one row, the cycle's id
-- Writes:     one row of etl.cycle
-- Locks:      none
-- Cost:       constant
INSERT INTO etl.cycle (job, started_at, host, pid, etl_version, as_of, max_items, workers)
VALUES (:'job', :'started_at', :'host', :'pid', :'etl_version', :'as_of', 0, 0)
RETURNING cycle_id;
