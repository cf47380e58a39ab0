-- What the role etl_runner may do in schema dwh: load notes, refresh users, verify them.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
--
-- Triggers and all procedures but one run with the rights of whoever calls them, so a
-- loader of your own needs what is granted here: make its login a member of etl_runner.
GRANT USAGE ON SCHEMA dwh TO etl_runner;

-- A load adds facts and names. It never changes or deletes any: corrections are the
-- owner's. The triggers on dwh.facts read them, as does every refresh.
GRANT SELECT, INSERT ON dwh.facts, dwh.dimension_countries, dwh.dimension_applications TO etl_runner;

-- A new user is a name; all else begins with its default, dirty. Loads mark users and count
-- their actions, refreshes clear the mark. No name is changed, no user deleted.
GRANT SELECT, INSERT (username), UPDATE (
    modified, dirty_since, total_actions, last_action_at
) ON dwh.dimension_users TO etl_runner;

-- A refresh writes the user's row, new or not, and deletes none.
GRANT SELECT, INSERT, UPDATE ON dwh.datamart_users TO etl_runner;
GRANT SELECT ON dwh.datamart_users_today TO etl_runner;

-- Everybody may call what is new unless that is revoked: from procedures here, which write; from
-- functions, which only read, perhaps by the database.
REVOKE EXECUTE ON PROCEDURE
dwh.update_datamart_user, dwh.stage_notes, dwh.merge_notes, dwh.analyze_users
FROM public;
GRANT EXECUTE ON PROCEDURE
dwh.update_datamart_user, dwh.stage_notes, dwh.merge_notes, dwh.analyze_users
TO etl_runner;
GRANT EXECUTE ON FUNCTION
dwh.dirty_users, dwh.contributor_type, dwh.histogram, dwh.count_slot
TO etl_runner;
