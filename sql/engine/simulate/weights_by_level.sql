-- How heavy the items of each level were that were done lately: so that what an item of a level
-- takes follows from what items of its weight take.
--
-- Parameters: :'job'
-- Returns:    level, octave (of the weight, as in engine/cost_by_weight.sql), items
-- Reads:      the last 20 cycles in etl.cycle that did anything, etl.attempt
-- Locks:      none
-- Cost:       in proportion to the attempts of these cycles
WITH scale AS (
    SELECT array_agg(2.0::double precision ^ n) AS powers FROM generate_series(0, 62) AS n
),

recent AS (
    SELECT c.cycle_id
    FROM etl.cycle AS c
    WHERE c.job = :'job' AND c.finished_at IS NOT NULL AND c.done > 0
    ORDER BY c.started_at DESC
    LIMIT 20
)

SELECT
    a.level,
    coalesce(width_bucket(a.weight + 1, (SELECT s.powers FROM scale AS s)) - 1, -1) AS octave,
    count(*) AS items
FROM etl.attempt AS a
WHERE a.cycle_id = any(array(SELECT r.cycle_id FROM recent AS r)) AND a.outcome = 'done'
GROUP BY a.level, octave
ORDER BY a.level, octave;
