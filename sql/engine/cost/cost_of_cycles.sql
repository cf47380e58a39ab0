-- What whole cycles took beside what their items take on the average: so a prediction can say
-- how far off such predictions have been.
--
-- Not of those that crashed: their records are closed by the next cycle, a night later perhaps,
-- and only that moment is known.
--
-- Parameters: :'cycle_ids'  of which cycles
--             :'octaves', :'means_ms'  arrays of the same length, as cost_of_items.sql counts them
-- Returns:    one row a cycle: workers, wall_s (without the time that it waited), expected_s,
--             what its items take on the average, one after the other
-- Reads:      etl.cycle, etl.attempt
-- Locks:      none
-- Cost:       in proportion to the attempts of those cycles
WITH scale AS (
    SELECT array_agg(2.0::double precision ^ n) AS powers FROM generate_series(0, 62) AS n
),

mean AS (
    SELECT m.octave, m.mean_ms
    FROM unnest(CAST(:'octaves' AS integer[]), CAST(:'means_ms' AS double precision[])) AS m (octave, mean_ms)
),

expected AS (
    SELECT a.cycle_id, sum(m.mean_ms) / 1000 AS seconds
    FROM (
        SELECT
            t.cycle_id,
            coalesce(width_bucket(t.weight, (SELECT s.powers FROM scale AS s)), -1) AS octave
        FROM etl.attempt AS t
        WHERE t.cycle_id = any(CAST(:'cycle_ids' AS bigint[])) AND t.outcome IN ('done', 'failed')
    ) AS a
    JOIN mean AS m ON a.octave = m.octave
    GROUP BY a.cycle_id
)

SELECT
    c.workers,
    (extract(EPOCH FROM c.finished_at - c.started_at))::double precision - w.waited_s AS wall_s,
    e.seconds AS expected_s
FROM etl.cycle AS c
JOIN expected AS e ON c.cycle_id = e.cycle_id
CROSS JOIN
    LATERAL (
        SELECT coalesce(sum((t.wait ->> 'seconds')::double precision), 0) AS waited_s
        FROM jsonb_array_elements(c.waits) AS t (wait)
    ) AS w
WHERE c.workers > 0 AND c.stop_reason IS DISTINCT FROM 'crashed'
ORDER BY c.cycle_id;
