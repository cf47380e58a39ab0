-- Fills the queue of a cycle.
--
-- Parameters: none; rows on standard input
-- Returns:    nothing
-- Writes:     etl.queue_item, a row an item
-- Locks:      none
-- Cost:       in proportion to the items
COPY etl.queue_item (cycle_id, position, item_key, level, fields) FROM STDIN;
