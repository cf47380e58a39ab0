-- The stored result of one unit_name: what a refresh must give again.
--
--   psql -v item_key=1 -f result.sql
--
-- Parameters: :'item_key'  source_table.source_key
-- Returns:    one row, or none; without refreshed_at, which tells of the refresh
-- Reads:      one row of job_schema.result
-- Locks:      none
-- Cost:       constant
SELECT to_jsonb(r) - 'refreshed_at' AS result
FROM job_schema.result AS r
WHERE r.item_key = :'item_key';
