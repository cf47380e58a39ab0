-- Marks every unit_name that source_table has now: none of them has a result yet.
--
-- Parameters: none
-- Returns:    nothing
-- Reads:      all of source_table
-- Writes:     job_schema.mark
-- Locks:      none that anybody waits for
-- Cost:       that of a SELECT DISTINCT
--
-- A file of its own, behind the triggers: these are committed, so a row that is added
-- while this reads is marked by them. To refresh everything again, run it in psql.
INSERT INTO job_schema.mark (item_key)
SELECT DISTINCT s.source_key FROM source_table AS s WHERE s.source_key IS NOT NULL;
