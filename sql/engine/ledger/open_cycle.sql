-- Opens the record of a cycle.
--
-- Parameters: :'job', :'started_at', :'host', :'pid', :'etl_version', :'as_of',
--             :'queue' (file or postgres)
-- Returns:    one row, the cycle's id
-- Writes:     one row of etl.cycle
-- Locks:      none
-- Cost:       constant
INSERT INTO etl.cycle (job, started_at, host, pid, etl_version, as_of, max_items, workers, queue)
VALUES (:'job', :'started_at', :'host', :'pid', :'etl_version', :'as_of', 0, 0, :'queue')
RETURNING cycle_id;
