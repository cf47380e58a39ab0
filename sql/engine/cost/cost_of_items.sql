-- What an item has taken lately, by its level and its weight: the mean and the spread for each
-- power of two. Of the latest cycles that did anything: twenty at most, and no more than 100,000
-- items, but always the last one.
--
-- Parameters: :'job'
-- Returns:    level, octave (0 of a weight below 1, then 1 from 1 on, 2 from 2, 3 from 4, …; -1 of
--             none), items, mean_ms, variance of the duration in ms squared, cycle_ids (the same in
--             each row)
-- Reads:      etl.cycle, etl.attempt
-- Locks:      none
-- Cost:       in proportion to the items read
WITH scale AS (
    SELECT array_agg(2.0::double precision ^ n) AS powers FROM generate_series(0, 62) AS n
),

recent AS (
    SELECT c.cycle_id, c.done
    FROM etl.cycle AS c
    WHERE c.job = :'job' AND c.finished_at IS NOT NULL AND c.done > 0
    ORDER BY c.cycle_id DESC
    LIMIT 20
),

chosen AS (
    SELECT r.cycle_id
    FROM (
        SELECT
            n.cycle_id,
            sum(n.done) OVER (ORDER BY n.cycle_id DESC) AS together,
            row_number() OVER (ORDER BY n.cycle_id DESC) AS place
        FROM recent AS n
    ) AS r
    WHERE r.together <= 100000 OR r.place = 1
)

SELECT
    a.level,
    coalesce(width_bucket(a.weight, (SELECT s.powers FROM scale AS s)), -1) AS octave,
    count(*) AS items,
    (avg(a.duration_ms))::double precision AS mean_ms,
    (var_pop(a.duration_ms))::double precision AS variance,
    (SELECT array_agg(s.cycle_id) FROM chosen AS s) AS cycle_ids
FROM etl.attempt AS a
WHERE
    a.cycle_id = any(array(SELECT s.cycle_id FROM chosen AS s))
    AND a.outcome = 'done' AND a.duration_ms IS NOT NULL
GROUP BY a.level, octave
ORDER BY octave, a.level;
