-- Whether the server answers.
--
-- Parameters: none
-- Returns:    one row
-- Locks:      none
-- Cost:       constant
SELECT 1 AS answered;
