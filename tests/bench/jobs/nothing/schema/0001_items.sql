-- bench_nothing.item: the items; they are never clean.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema and table
-- Locks:      none on existing objects
-- Cost:       constant
CREATE SCHEMA bench_nothing;

CREATE TABLE bench_nothing.item (item_key integer PRIMARY KEY);
