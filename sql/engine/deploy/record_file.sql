-- Records an SQL file that was applied in the same transaction.
--
-- Parameters: :'scope', :'name', :'kind', :'checksum', :'content', :'etl_version'
-- Returns:    nothing
-- Writes:     one row of etl.applied_file
-- Locks:      that row
-- Cost:       constant
INSERT INTO etl.applied_file (scope, name, kind, checksum, content, etl_version)
VALUES (:'scope', :'name', :'kind', :'checksum', :'content', :'etl_version')
ON CONFLICT (scope, name) DO UPDATE SET
    checksum = excluded.checksum,
    content = excluded.content,
    applied_at = now(),
    applied_by = session_user,
    etl_version = excluded.etl_version;
