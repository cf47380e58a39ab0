-- The held items of a job, those that wait for a person first, and how many there are of each state.
--
-- Parameters: :'job'  the job's name in the database
--             :most   how many
-- Returns:    item_key, state, attempts, sqlstate, message, until_at (quarantined: since when),
--             a time as text, UTC; and held, quarantined, due: counts of all, the same in each row
-- Reads:      etl.held
-- Locks:      none
-- Cost:       in proportion to the held items of the job
SELECT
    h.item_key,
    h.state,
    h.attempts,
    h.sqlstate,
    h.message,
    -- to_char gives null for infinity, which a person may have set
    coalesce(
        to_char(
            coalesce(h.quarantined_at, h.held_until) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
        ),
        CAST(coalesce(h.quarantined_at, h.held_until) AS text)
    ) AS until_at,
    count(*) FILTER (WHERE h.state = 'held') OVER () AS held,
    count(*) FILTER (WHERE h.state = 'quarantined') OVER () AS quarantined,
    count(*) FILTER (WHERE h.state = 'due') OVER () AS due
FROM etl.held AS h
WHERE h.job = :'job'
ORDER BY h.quarantined_at ASC, h.held_until ASC, h.item_key ASC
LIMIT CAST(:most AS bigint);
