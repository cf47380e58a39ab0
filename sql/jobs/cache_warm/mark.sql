-- Marks one item dirty, as the triggers do: the next cycle warms it.
--
--   psql -v item_key=topic:1/digital -f mark.sql
--
-- Parameters: :'item_key'  topic:1/digital or tag:5
-- Returns:    nothing
-- Writes:     one row of cache.mark
-- Locks:      none
-- Cost:       constant
INSERT INTO cache.mark (item_key) VALUES (:'item_key');
