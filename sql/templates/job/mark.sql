-- Marks one unit_name dirty, as the triggers do: the next cycle refreshes it.
--
--   psql -v item_key=1 -f mark.sql
--
-- Parameters: :'item_key'  source_table.source_key
-- Returns:    nothing
-- Writes:     one row of job_schema.mark
-- Locks:      none
-- Cost:       constant
INSERT INTO job_schema.mark (item_key) VALUES (:'item_key');
