-- How many items there are.
--
-- Parameters: none
-- Returns:    level, items, oldest_dirty_at
-- Reads:      bench_costly.item
-- Locks:      none
-- Cost:       in proportion to the items
SELECT 1 AS level, count(*) AS items, now() AS oldest_dirty_at FROM bench_costly.item;
