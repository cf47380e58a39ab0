-- The SQL files that this database has.
--
-- Parameters: none
-- Returns:    scope, name, kind, checksum, content, applied_at, applied_by, etl_version
-- Reads:      etl.applied_file
-- Locks:      none
-- Cost:       constant
SELECT scope, name, kind, checksum, content, applied_at, applied_by, etl_version
FROM etl.applied_file
ORDER BY scope, kind DESC, name;
