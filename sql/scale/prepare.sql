-- Makes the star schema of datamart_users fit for tables that are distributed by user: takes away
-- what no single node could keep. Runs on any PostgreSQL; distribute.sql follows on Citus.
--
--   psql -1 -f prepare.sql
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     dwh.facts (an anonymous action gets the user 0, whom nobody is), the constraints,
--             identities and triggers of the schema. Once; it fails when run again
-- Locks:      the tables, exclusively, until it commits
-- Cost:       in proportion to the anonymous facts, and two indexes over all facts
--
-- What is lost with it, and who has to do it then: user names are no longer unique by constraint,
-- ids no longer given by the table, and facts no longer mark users. So etl load-notes no longer
-- works; a loader of your own gives ids, writes facts, marks the users concerned and keeps their
-- total_actions and last_action_at.

-- A column by which rows are distributed is never null.
UPDATE dwh.facts SET action_dimension_id_user = 0
WHERE action_dimension_id_user IS NULL;
ALTER TABLE dwh.facts ALTER COLUMN action_dimension_id_user SET NOT NULL;

-- What is unique is so within a shard: the column of the distribution is part of it.
DROP INDEX dwh.facts_opening;
DROP INDEX dwh.facts_closing;
CREATE UNIQUE INDEX facts_opening
ON dwh.facts (note_id, action_dimension_id_user) WHERE action = 'opened';
CREATE UNIQUE INDEX facts_closing
ON dwh.facts (note_id, action_at, action_dimension_id_user) WHERE action = 'closed';
ALTER TABLE dwh.dimension_users DROP CONSTRAINT dimension_users_username_key;

-- Of type integer, Citus takes identities since version 12 only, and never from another node.
ALTER TABLE dwh.dimension_users ALTER COLUMN dimension_user_id DROP IDENTITY;
ALTER TABLE dwh.dimension_countries ALTER COLUMN dimension_country_id DROP IDENTITY;
ALTER TABLE dwh.dimension_applications ALTER COLUMN dimension_application_id DROP IDENTITY;

-- Triggers of statements, with transition tables, are none of a shard.
DROP TRIGGER facts_inserted ON dwh.facts;
DROP TRIGGER facts_updated ON dwh.facts;
DROP TRIGGER facts_deleted ON dwh.facts;
DROP TRIGGER facts_truncated ON dwh.facts;
