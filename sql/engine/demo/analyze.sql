-- Has the planner know the sample data, and indexes read alone.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     statistics, visibility maps
-- Locks:      none that anybody waits for
-- Cost:       in proportion to the database
VACUUM (ANALYZE);
