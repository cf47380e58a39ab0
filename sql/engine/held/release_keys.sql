-- Releases held items of a job by their keys.
--
-- Parameters: :'job', :'keys' (array of text)
-- Returns:    item_key of each item that was held and is not any more
-- Writes:     etl.held_item
-- Locks:      the rows deleted
-- Cost:       in proportion to the keys
DELETE FROM etl.held_item AS h
WHERE h.job = :'job' AND h.item_key = any(CAST(:'keys' AS text[]))
RETURNING h.item_key;
