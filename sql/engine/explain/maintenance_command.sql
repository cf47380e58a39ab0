-- The command that has a table analyzed or vacuumed, its name quoted where it needs it.
--
-- Parameters: :'verb'  ANALYZE or VACUUM; :'schema', :'relation'
-- Returns:    one row, the command
-- Reads:      nothing
-- Locks:      none; the command is not run
-- Cost:       constant
SELECT format('%s %I.%I;', CAST(:'verb' AS text), CAST(:'schema' AS text), CAST(:'relation' AS text)) AS command;
