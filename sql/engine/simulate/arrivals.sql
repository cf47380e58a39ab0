-- What became dirty from one cycle of a job to the next, by level: what a cycle found and the one
-- before had not left. Of the latest whole cycles; left out are single items that were asked for
-- by name, cycles that ended before they had counted the backlog, and crashed ones, of which
-- nobody knows what they left.
--
-- Parameters: :'job'
-- Returns:    level, arrivals (in all these times together; below 0 where more items moved to
--             other levels while they waited than came in), cycles (how many times), every_s
--             (from the beginning of one to that of the next, the mean; below 0 where a clock was
--             set back)
-- Reads:      the last 21 cycles in etl.cycle
-- Locks:      none
-- Cost:       constant
WITH recent AS (
    SELECT c.cycle_id, c.started_at, c.levels
    FROM etl.cycle AS c
    WHERE
        c.job = :'job' AND c.finished_at IS NOT NULL
        AND c.levels <> '[]' AND NOT c.levels @> '[{"level": 0}]'
        AND c.stop_reason NOT IN ('paused', 'crashed')
    ORDER BY c.cycle_id DESC
    LIMIT 21
),

followed AS (
    SELECT
        r.started_at, r.levels,
        lag(r.started_at) OVER (ORDER BY r.cycle_id) AS previous_at,
        lag(r.levels) OVER (ORDER BY r.cycle_id) AS previous
    FROM recent AS r
),

counted AS (
    SELECT
        CAST(n.seen ->> 'level' AS integer) AS level,
        CAST(n.seen ->> 'found' AS bigint) AS items
    FROM followed AS f
    CROSS JOIN LATERAL jsonb_array_elements(f.levels) AS n (seen)
    WHERE f.previous IS NOT NULL
    UNION ALL
    SELECT
        CAST(p.seen ->> 'level' AS integer) AS level,
        -CAST(p.seen ->> 'left' AS bigint) AS items
    FROM followed AS f
    CROSS JOIN LATERAL jsonb_array_elements(f.previous) AS p (seen)
),

times AS (
    SELECT
        count(*) AS cycles,
        coalesce(CAST(avg(extract(EPOCH FROM f.started_at - f.previous_at)) AS double precision), 0) AS every_s
    FROM followed AS f
    WHERE f.previous IS NOT NULL
)

SELECT c.level, CAST(coalesce(sum(c.items), 0) AS bigint) AS arrivals, t.cycles, t.every_s
FROM counted AS c
CROSS JOIN times AS t
GROUP BY c.level, t.cycles, t.every_s
ORDER BY c.level;
