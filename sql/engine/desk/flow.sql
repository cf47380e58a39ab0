-- What came in and what was done over the latest whole cycles of a job. Left out: single items
-- that were asked for by name, and cycles that ended before they had counted the backlog; such a
-- one has no levels, and would look like one that found nothing.
--
-- Parameters: :'job'
-- Returns:    one row: cycles, first_started_at, last_started_at, first_found, done (of all of
--             them), last_max_items, cut (how many had to leave items for want of room or of time),
--             done_when_cut (the mean of those), last_stop_reason
-- Reads:      the last 20 cycles in etl.cycle
-- Locks:      none
-- Cost:       constant
WITH recent AS (
    SELECT c.*
    FROM etl.cycle AS c
    WHERE
        c.job = :'job' AND c.finished_at IS NOT NULL
        AND c.levels <> '[]' AND NOT c.levels @> '[{"level": 0}]' AND c.stop_reason <> 'paused'
    ORDER BY c.cycle_id DESC
    LIMIT 20
)

SELECT
    count(*) AS cycles,
    min(r.started_at) AS first_started_at,
    max(r.started_at) AS last_started_at,
    (array_agg(r.found ORDER BY r.cycle_id))[1] AS first_found,
    CAST(coalesce(sum(r.done), 0) AS bigint) AS done,
    (array_agg(r.max_items ORDER BY r.cycle_id DESC))[1] AS last_max_items,
    count(*) FILTER (WHERE r.stop_reason IN ('limit', 'time limit')) AS cut,
    CAST(avg(r.done) FILTER (WHERE r.stop_reason IN ('limit', 'time limit')) AS double precision)
        AS done_when_cut,
    (array_agg(r.stop_reason ORDER BY r.cycle_id DESC))[1] AS last_stop_reason
FROM recent AS r;
