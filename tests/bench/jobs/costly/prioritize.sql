-- All items, in the order of their keys; costs are strewn over the keys at random.
--
-- Parameters: :max_items  how many to list
-- Returns:    item_key, level, sleep_s, rounds
-- Reads:      bench_costly.item
-- Locks:      none
-- Cost:       in proportion to the items
SELECT i.item_key, 1 AS level, i.sleep_s, i.rounds
FROM bench_costly.item AS i
ORDER BY i.item_key
LIMIT :max_items;
