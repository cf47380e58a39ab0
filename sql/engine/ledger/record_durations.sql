-- Counts the done items of a cycle by how long they took, for when its attempts are forgotten.
--
-- Parameters: :'cycle_id'
-- Returns:    nothing
-- Reads:      etl.attempt
-- Writes:     one row of etl.cycle
-- Locks:      that row
-- Cost:       in proportion to the attempts of the cycle, about 2 us each
--
-- The buckets are those of metrics/durations.sql; with others, old and new cycles could not
-- be added up.
UPDATE etl.cycle AS c
SET duration_counts = d.counts, duration_sum_s = d.sum_s
FROM (
    SELECT
        coalesce(sum(a.duration_ms / CAST(1000 AS double precision)), 0) AS sum_s,
        ARRAY[
            count(*) FILTER (WHERE a.duration_ms <= 0.5),
            count(*) FILTER (WHERE a.duration_ms <= 1),
            count(*) FILTER (WHERE a.duration_ms <= 2.5),
            count(*) FILTER (WHERE a.duration_ms <= 5),
            count(*) FILTER (WHERE a.duration_ms <= 10),
            count(*) FILTER (WHERE a.duration_ms <= 25),
            count(*) FILTER (WHERE a.duration_ms <= 50),
            count(*) FILTER (WHERE a.duration_ms <= 100),
            count(*) FILTER (WHERE a.duration_ms <= 250),
            count(*) FILTER (WHERE a.duration_ms <= 500),
            count(*) FILTER (WHERE a.duration_ms <= 1000),
            count(*) FILTER (WHERE a.duration_ms <= 2500),
            count(*) FILTER (WHERE a.duration_ms <= 5000),
            count(*) FILTER (WHERE a.duration_ms <= 10000),
            count(*) FILTER (WHERE a.duration_ms <= 30000),
            count(*) FILTER (WHERE a.duration_ms <= 60000),
            count(*) FILTER (WHERE a.duration_ms <= 300000),
            count(*)
        ] AS counts
    FROM etl.attempt AS a
    WHERE a.cycle_id = CAST(:'cycle_id' AS bigint) AND a.outcome = 'done'
) AS d
WHERE c.cycle_id = CAST(:'cycle_id' AS bigint);
