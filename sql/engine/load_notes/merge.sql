-- Merges the staged notes into the star schema.
--
-- Parameters: none
-- Returns:    new_opened, new_closed, new_anonymous, new_users, users_staged,
--             users_dirtied; one row
-- Writes:     see procedures/merge_notes.sql of the job datamart_users
-- Locks:      see there
-- Cost:       see there
CALL dwh.merge_notes(NULL, NULL, NULL, NULL, NULL, NULL);
