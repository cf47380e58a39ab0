-- What waits for a person in the ledger.
--
-- Parameters: :'job'  of this job; empty: of all
-- Returns:    severity, what, why, command; one row for each job and kind
-- Reads:      etl.held_item, etl.cycle, etl.control, pg_locks
-- Locks:      none
-- Cost:       in proportion to the held items
SELECT
    'warning' AS severity,
    format('%s: %s quarantined', h.job, count(*)) AS what,
    'They have failed again and again, stay dirty, and are left out until somebody lets them go' AS why,
    format('etl held list %s --quarantined', replace(h.job, '_', '-')) AS command
FROM etl.held_item AS h
WHERE h.quarantined_at IS NOT NULL AND :'job' IN ('', h.job)
GROUP BY h.job
UNION ALL
SELECT
    'note' AS severity,
    format('%s: cycle %s was cut off', c.job, c.cycle_id) AS what,
    'Its record is open though nobody runs it; the next cycle closes it' AS why,
    format('etl %s', replace(c.job, '_', '-')) AS command
FROM etl.cycle AS c
WHERE
    c.finished_at IS NULL AND :'job' IN ('', c.job)
    AND NOT EXISTS (
        SELECT FROM pg_locks AS l
        WHERE
            l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND CAST(CAST(l.classid AS bigint) << 32 | CAST(l.objid AS bigint) AS bigint)
            = hashtextextended('etl cycle ' || replace(c.job, '_', '-'), 0)
    )
UNION ALL
SELECT
    'note' AS severity,
    format('%s: paused by %s since %s', c.job, c.changed_by, date_trunc('second', c.changed_at)) AS what,
    coalesce('Reason: ' || c.pause_reason, 'No reason was given; its cycles claim nothing') AS why,
    format('etl resume %s', replace(c.job, '_', '-')) AS command
FROM etl.control AS c
WHERE c.paused_until > clock_timestamp() AND :'job' IN ('', c.job);
