-- The plan that probe.sql found.
--
-- Parameters: none
-- Returns:    one row, the plan as JSON
-- Locks:      none
-- Cost:       constant
SELECT CAST(current_setting('etl.probe_plan') AS json) AS plan;
