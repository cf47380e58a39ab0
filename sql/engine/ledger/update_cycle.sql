-- Brings the record of a cycle up to date: while it runs, and when it closes.
--
-- Parameters: :'cycle_id', :'max_items', :'workers', :'found', :'done', :'failed',
--             :'busy', :'orphaned', :'remaining', :'levels' (JSON),
--             :'stop_reason' (null while it runs), :'finished_at' (null while it runs),
--             :'time_limit_s', :'predicted_s', :'predicted_p95_s' (null: none),
--             :'waits_for' (null: it goes on), :'waits' (JSON)
-- Returns:    nothing
-- Writes:     one row of etl.cycle, in place where its page has room
-- Locks:      that row
-- Cost:       constant
UPDATE etl.cycle
SET
    max_items = :'max_items',
    workers = :'workers',
    found = :'found',
    done = :'done',
    failed = :'failed',
    busy = :'busy',
    orphaned = :'orphaned',
    remaining = :'remaining',
    levels = CAST(:'levels' AS jsonb),
    stop_reason = :'stop_reason',
    time_limit_s = :'time_limit_s',
    predicted_s = :'predicted_s',
    predicted_p95_s = :'predicted_p95_s',
    waits_for = :'waits_for',
    waits = CAST(:'waits' AS jsonb),
    finished_at = :'finished_at'
WHERE cycle_id = :'cycle_id';
