-- bench_nothing.nothing(item_key): nothing.
--
-- Parameters: item_key  of the item
-- Returns:    nothing
-- Locks:      none
-- Cost:       that of a call
CREATE OR REPLACE PROCEDURE bench_nothing.nothing(item_key integer)
LANGUAGE plpgsql AS $$
BEGIN
END
$$;
