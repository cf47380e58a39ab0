-- How many facts the warehouse has.
--
-- Parameters: none
-- Returns:    one row
-- Reads:      dwh.facts
-- Locks:      none
-- Cost:       in proportion to the facts
SELECT count(*) AS facts FROM dwh.facts;
