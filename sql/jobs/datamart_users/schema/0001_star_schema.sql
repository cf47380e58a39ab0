-- The star schema of note actions: dwh.facts and its dimensions.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema dwh, the fact table and three dimensions
-- Locks:      none on existing objects
-- Cost:       constant
--
-- All points in time are UTC in columns without a time zone: a day, an hour of
-- the week or a streak must not depend on who reads it from where.
CREATE SCHEMA IF NOT EXISTS dwh;

CREATE TYPE dwh.note_action AS ENUM ('opened', 'closed');

CREATE TABLE dwh.dimension_countries (
    dimension_country_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    country_name text NOT NULL UNIQUE
);

CREATE TABLE dwh.dimension_applications (
    dimension_application_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_name text NOT NULL UNIQUE
);

COMMENT ON COLUMN dwh.dimension_applications.application_name IS
'The first hashtag of the opening comment, lower case, letters and digits only:
#MAPS.ME, #maps.me and #mapsme are one application';

-- One row for each user, with the dirty mark and the two figures by which a
-- backlog is put in order. The figures are kept up to date by the triggers on
-- dwh.facts, so that listing the dirty never reads a fact.
-- fillfactor: every mark and every clearing writes a new version of the row; free
-- space spares it the search for another page. These updates are not HOT: modified is
-- in the predicate of the index of the dirty. So a twentieth of the rows dead is enough for
-- a vacuum: else the table and that index would grow by a fifth of all users.
CREATE TABLE dwh.dimension_users (
    dimension_user_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text NOT NULL UNIQUE,
    modified boolean NOT NULL DEFAULT TRUE,
    dirty_since timestamptz NOT NULL DEFAULT now(),
    total_actions integer NOT NULL DEFAULT 0,
    last_action_at timestamp
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);

COMMENT ON COLUMN dwh.dimension_users.modified IS
'Dirty: the row in dwh.datamart_users is out of date. Set it by any UPDATE';
COMMENT ON COLUMN dwh.dimension_users.dirty_since IS
'Since when the datamart row is out of date, as far as modified says so';

CREATE INDEX dimension_users_dirty
ON dwh.dimension_users (dimension_user_id) WHERE modified;

-- One row for each action on a note: one opened fact and, for each time it was
-- closed, one closed fact. The action's user is null where it was anonymous.
-- A closed fact also names the note's opener, because it changes the opener's
-- figures (resolved or still open) as much as the closer's.
-- There are no foreign keys to the dimensions, as usual for a fact table: each insert
-- would lock and look up a row in every one of them.
CREATE TABLE dwh.facts (
    note_id bigint NOT NULL,
    action_at timestamp NOT NULL,
    action_dimension_id_user integer,
    opened_dimension_id_user integer,
    dimension_id_country integer NOT NULL,
    dimension_id_application integer,
    days_to_resolution integer CHECK (days_to_resolution >= 0),
    action dwh.note_action NOT NULL
);

COMMENT ON COLUMN dwh.facts.action_at IS 'UTC; often only the date is known, then midnight';
COMMENT ON COLUMN dwh.facts.opened_dimension_id_user IS 'The opener of the note';
COMMENT ON COLUMN dwh.facts.days_to_resolution IS
'Whole days from the note''s opening to this closing; null for an opening';

-- A note is opened once, and closed once at any one time.
CREATE UNIQUE INDEX facts_opening ON dwh.facts (note_id) WHERE action = 'opened';
CREATE UNIQUE INDEX facts_closing ON dwh.facts (note_id, action_at) WHERE action = 'closed';

-- Together they are the key, one index entry less for each opening than with a primary key of
-- all three columns beside the first: 0.75 s of a load of 629,620 facts. Logical replication,
-- which asks for a primary key, finds a changed fact by all its columns instead.
ALTER TABLE dwh.facts REPLICA IDENTITY FULL;

-- The two ways into one user's facts, each covering what a refresh reads.
CREATE INDEX facts_of_user
ON dwh.facts (action_dimension_id_user, action_at)
INCLUDE (
    note_id, dimension_id_country, dimension_id_application, days_to_resolution, action
)
WHERE action_dimension_id_user IS NOT NULL;

CREATE INDEX facts_closing_notes_of_opener
ON dwh.facts (opened_dimension_id_user)
INCLUDE (note_id, action_dimension_id_user)
WHERE action = 'closed' AND opened_dimension_id_user IS NOT NULL;
