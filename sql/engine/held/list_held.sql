-- The held items, those that wait for a person first, then by time.
--
-- Parameters: :'job'       empty: all jobs
--             :'sqlstate'  a code or how it begins; empty: any, and none
--             :'outcome'   failed, orphaned; empty: both
--             :'state'     quarantined, held, due; empty: all
--             :most        how many; null: all
-- Returns:    job, item_key, state, attempts, outcome, sqlstate, message, held_until,
--             quarantined_at, last_cycle_id; times as text, UTC; and held, quarantined, due: how
--             many there are of each state, however few are listed; the same in each row
-- Reads:      etl.held
-- Locks:      none
-- Cost:       in proportion to the held items
SELECT
    h.job,
    h.item_key,
    h.state,
    h.attempts,
    h.outcome,
    h.sqlstate,
    h.message,
    -- to_char gives null for infinity, which a person may have set
    coalesce(
        to_char(h.held_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), CAST(h.held_until AS text)
    ) AS held_until,
    coalesce(
        to_char(h.quarantined_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), CAST(h.quarantined_at AS text)
    ) AS quarantined_at,
    h.last_cycle_id,
    count(*) FILTER (WHERE h.state = 'held') OVER () AS held,
    count(*) FILTER (WHERE h.state = 'quarantined') OVER () AS quarantined,
    count(*) FILTER (WHERE h.state = 'due') OVER () AS due
FROM etl.held AS h
WHERE
    :'job' IN ('', h.job)
    AND starts_with(coalesce(h.sqlstate, ''), :'sqlstate')
    AND :'outcome' IN ('', h.outcome)
    AND :'state' IN ('', h.state)
ORDER BY h.job ASC, h.quarantined_at ASC, h.held_until ASC, h.item_key ASC
LIMIT CAST(:most AS bigint);
