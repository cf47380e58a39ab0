-- How long the done items of all finished cycles of a job took, by buckets.
--
-- Parameters: :'job'
-- Returns:    one row: bounds_s, ascending, the last infinite; counts, how many items took at
--             most so long; sum_s, how long all of them took
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       in proportion to the cycles of the job
SELECT
    ARRAY[
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
        CAST('Infinity' AS double precision)
    ] AS bounds_s,
    ARRAY[
        coalesce(sum(c.duration_counts[1]), 0),
        coalesce(sum(c.duration_counts[2]), 0),
        coalesce(sum(c.duration_counts[3]), 0),
        coalesce(sum(c.duration_counts[4]), 0),
        coalesce(sum(c.duration_counts[5]), 0),
        coalesce(sum(c.duration_counts[6]), 0),
        coalesce(sum(c.duration_counts[7]), 0),
        coalesce(sum(c.duration_counts[8]), 0),
        coalesce(sum(c.duration_counts[9]), 0),
        coalesce(sum(c.duration_counts[10]), 0),
        coalesce(sum(c.duration_counts[11]), 0),
        coalesce(sum(c.duration_counts[12]), 0),
        coalesce(sum(c.duration_counts[13]), 0),
        coalesce(sum(c.duration_counts[14]), 0),
        coalesce(sum(c.duration_counts[15]), 0),
        coalesce(sum(c.duration_counts[16]), 0),
        coalesce(sum(c.duration_counts[17]), 0),
        coalesce(sum(c.duration_counts[18]), 0)
    ] AS counts,
    coalesce(sum(c.duration_sum_s), 0) AS sum_s
FROM etl.cycle AS c
WHERE c.job = :'job' AND c.finished_at IS NOT NULL;
