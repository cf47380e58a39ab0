-- The queue that a crew may take part in: of the open cycle of a job whose lock somebody holds.
--
-- Parameters: :'job', :'command' (the lock's name)
-- Returns:    cycle_id, names, parameters, files, batch_size, is_closing; or no row
-- Reads:      etl.queue, etl.cycle, pg_locks
-- Locks:      none
-- Cost:       constant
SELECT q.cycle_id, q.names, q.parameters, q.files, q.batch_size, q.is_closing
FROM etl.queue AS q
JOIN etl.cycle AS c ON q.cycle_id = c.cycle_id
WHERE
    q.job = :'job' AND c.finished_at IS NULL
    AND EXISTS (
        SELECT
        FROM pg_locks AS l
        CROSS JOIN (SELECT hashtextextended('etl cycle ' || :'command', 0) AS key) AS k
        WHERE
            l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND CAST(CAST(l.classid AS bigint) << 32 | CAST(l.objid AS bigint) AS bigint) = k.key
    )
ORDER BY q.cycle_id DESC
LIMIT 1;
