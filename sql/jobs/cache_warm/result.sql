-- The stored payload of one item: what warming it again on the same day must give again.
--
--   psql -v item_key=topic:1/digital -f result.sql
--
-- Parameters: :'item_key'  topic:1/digital or tag:5
-- Returns:    one row, or none; without the times and the reads, which tell of the warming
-- Reads:      one row of cache.warmed, by its key
-- Locks:      none
-- Cost:       constant
SELECT w.payload, w.as_of, w.entries, w.newest_at
FROM cache.warmed AS w
WHERE w.item_key = :'item_key';
