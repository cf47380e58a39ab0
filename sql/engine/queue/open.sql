-- Opens the queue of a cycle: from now on crews may find it.
--
-- Parameters: :'cycle_id', :'job'
--             :'names'       columns of the prioritization, an array
--             :'parameters'  what process.sql gets beside them, JSON
--             :'files'       SHA-256 of each file of the job that a worker uses, JSON
--             :'batch_size'  keys of every batch; null: as the job says
-- Returns:    nothing
-- Writes:     etl.queue
-- Locks:      none
-- Cost:       constant
INSERT INTO etl.queue (cycle_id, job, names, parameters, files, batch_size)
VALUES (
    CAST(:'cycle_id' AS bigint), :'job', CAST(:'names' AS text[]), CAST(:'parameters' AS jsonb),
    CAST(:'files' AS jsonb), CAST(:'batch_size' AS integer)
);
