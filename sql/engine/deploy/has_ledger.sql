-- Whether `etl init` has run on this database.
--
-- Parameters: none
-- Returns:    one row, true or false
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT to_regclass('etl.applied_file') IS NOT NULL;
