-- All items, in the order of their keys.
--
-- Parameters: :max_items  how many to list
-- Returns:    item_key, level
-- Reads:      bench_nothing.item
-- Locks:      none
-- Cost:       in proportion to the items
SELECT i.item_key, 1 AS level
FROM bench_nothing.item AS i
ORDER BY i.item_key
LIMIT :max_items;
