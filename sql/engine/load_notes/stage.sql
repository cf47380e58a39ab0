-- Makes the temporary table into which notes are copied.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates pg_temp.staged_notes, dropped at the transaction's end
-- Locks:      none
-- Cost:       constant
CALL dwh.stage_notes();
