-- Does nothing.
--
-- Parameters: :item_key  bench_nothing.item.item_key
-- Returns:    nothing
-- Locks:      none
-- Cost:       that of a round trip
CALL bench_nothing.nothing(:item_key);
