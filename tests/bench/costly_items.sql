-- Items whose costs differ a thousandfold, strewn over the keys at random; the same each time.
--
-- Parameters: :items      how many
--             :sleep_s    the least that one sleeps, seconds; the most is 1,000 times that
--             :rounds     the least that one computes
-- Returns:    nothing of interest
-- Writes:     bench_costly.item, emptied before
-- Locks:      the table
-- Cost:       in proportion to the items
TRUNCATE bench_costly.item;

SELECT setseed(0.42);

INSERT INTO bench_costly.item (item_key, sleep_s, rounds)
SELECT
    row_number() OVER (ORDER BY random()),
    CAST(:sleep_s AS double precision) * c.factor,
    CAST(:rounds AS integer) * c.factor
FROM (
    SELECT 1000 ^ ((i - 1) / (CAST(:items AS double precision) - 1)) AS factor
    FROM generate_series(1, CAST(:items AS integer)) AS i
) AS c;

VACUUM ANALYZE bench_costly.item;
