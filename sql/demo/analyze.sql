-- Gives the planner statistics of the sample data.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      SHARE UPDATE EXCLUSIVE on each table, one after the other
-- Cost:       reads a sample of each table
ANALYZE dwh.facts, dwh.dimension_users;
