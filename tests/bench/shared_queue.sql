-- A queue of :items items in the database, of a cycle of its own; the one before is dropped.
DELETE FROM etl.queue_item WHERE cycle_id = 0;
INSERT INTO etl.queue_item (cycle_id, position, item_key, level, fields)
SELECT 0, n, n, 1, ARRAY[n::text, '1'] FROM generate_series(1, :items) AS n;
VACUUM ANALYZE etl.queue_item;
CHECKPOINT;
