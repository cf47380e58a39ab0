-- Holds the items that failed in a cycle, or whose worker died: for a minute, then
-- twice as long each time up to six hours, a quarter more or less by chance, so that
-- items which failed together do not come back together. After max_attempts an item
-- is quarantined: held until it is released. Where the data are wrong
-- (etl.is_data_error), the second such failure in a row is enough: one retry is for
-- a loader that mends them. Items asked for by name (level 0) are never held: whoever
-- asked sees the error. Nor is an item that the same cycle did after all.
--
-- Parameters: :'cycle_id', :'job', :'now', :'max_attempts'
-- Returns:    nothing
-- Writes:     etl.held_item
-- Locks:      the rows written
-- Cost:       in proportion to the attempts that failed; where there are any, also to
--             those done
INSERT INTO etl.held_item AS h (
    job, item_key, attempts, held_until, quarantined_at,
    last_cycle_id, last_outcome, last_sqlstate, last_message
)
SELECT
    :'job', f.item_key, f.attempts,
    CAST(:'now' AS timestamptz) + etl.back_off(f.attempts),
    CASE
        WHEN
            f.attempts >= CAST(:'max_attempts' AS integer)
            OR (etl.is_data_error(f.sqlstate) AND etl.is_data_error(f.sqlstate_before))
            THEN CAST(:'now' AS timestamptz)
    END,
    CAST(:'cycle_id' AS bigint), f.outcome, f.sqlstate, f.message
FROM (
    SELECT DISTINCT ON (a.item_key)
        a.item_key, a.outcome, a.sqlstate, a.message,
        count(*) OVER (PARTITION BY a.item_key) + coalesce(p.attempts, 0) AS attempts,
        lag(a.sqlstate, 1, p.last_sqlstate) OVER (PARTITION BY a.item_key ORDER BY a.finished_at)
            AS sqlstate_before
    FROM etl.attempt AS a
    LEFT JOIN etl.held_item AS p ON p.job = :'job' AND a.item_key = p.item_key
    WHERE
        a.cycle_id = CAST(:'cycle_id' AS bigint) AND a.outcome IN ('failed', 'orphaned')
        AND a.level > 0
        AND NOT EXISTS (
            SELECT FROM etl.attempt AS d
            WHERE
                d.cycle_id = CAST(:'cycle_id' AS bigint) AND d.outcome = 'done'
                AND d.item_key = a.item_key AND d.finished_at >= a.finished_at
        )
    ORDER BY a.item_key ASC, a.finished_at DESC
) AS f
ON CONFLICT (job, item_key) DO UPDATE SET
    attempts = excluded.attempts,
    held_until = excluded.held_until,
    quarantined_at = coalesce(h.quarantined_at, excluded.quarantined_at),
    last_cycle_id = excluded.last_cycle_id,
    last_outcome = excluded.last_outcome,
    last_sqlstate = excluded.last_sqlstate,
    last_message = excluded.last_message;
