-- The ledger: what was deployed, which cycles ran, what each attempt came to,
-- which items wait.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema etl and its four tables
-- Locks:      none on existing objects
-- Cost:       constant
CREATE SCHEMA etl;

COMMENT ON SCHEMA etl IS
'Bookkeeping of the etl toolkit: deployed files, cycles, attempts, held items';

-- One row for each SQL file that `etl init` applied. A numbered file is applied
-- once and never again; a procedure file again whenever its text changes.
CREATE TABLE etl.applied_file (
    scope text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('schema', 'procedure')),
    checksum text NOT NULL,
    content text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user,
    etl_version text NOT NULL,
    PRIMARY KEY (scope, name)
);

COMMENT ON COLUMN etl.applied_file.scope IS '''etl'' for the engine, else the job';
COMMENT ON COLUMN etl.applied_file.checksum IS 'SHA-256 of the text, line ends as LF';

-- One row for each build and drain of a queue. While it runs, finished_at is
-- null and the counters lag by up to a second. Always:
--   found = done + failed + busy + orphaned + remaining
CREATE TABLE etl.cycle (
    cycle_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    host text NOT NULL,
    pid integer NOT NULL,
    etl_version text NOT NULL,
    as_of date NOT NULL,
    max_items bigint NOT NULL,
    workers integer NOT NULL,
    found bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    busy bigint NOT NULL DEFAULT 0,
    orphaned bigint NOT NULL DEFAULT 0,
    remaining bigint NOT NULL DEFAULT 0,
    levels jsonb NOT NULL DEFAULT '[]',
    stop_reason text
) WITH (fillfactor = 70);

COMMENT ON COLUMN etl.cycle.found IS 'The backlog when the cycle began, held items left out';
COMMENT ON COLUMN etl.cycle.remaining IS 'Found and not attempted: left for the next cycle';
COMMENT ON COLUMN etl.cycle.stop_reason IS
'drained, limit, time limit, incomplete (its workers were ended), stopped (by a signal), crashed,
or the error that stopped it; null while it runs';

CREATE INDEX cycle_by_job ON etl.cycle (job, started_at DESC);

-- One row for each try at an item, written by COPY when the cycle closes.
-- An interruption by a signal is no attempt and leaves no row.
CREATE TABLE etl.attempt (
    cycle_id bigint NOT NULL REFERENCES etl.cycle ON DELETE CASCADE,
    item_key text NOT NULL,
    level integer NOT NULL,
    worker integer NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'failed', 'busy', 'orphaned')),
    finished_at timestamptz NOT NULL,
    duration_ms real,
    sqlstate text,
    message text
);

COMMENT ON COLUMN etl.attempt.duration_ms IS
'From claim to commit; null where the worker died and nobody knows';

-- Old cycles go as a whole, some thousand rows a night: vacuum when they are gone, not when a
-- fifth of the table is.
ALTER TABLE etl.attempt SET (autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX attempt_by_cycle ON etl.attempt (cycle_id, outcome);

-- Items that failed and are left out of the next cycles: until held_until, or,
-- once quarantined_at is set, until a person deletes the row.
CREATE TABLE etl.held_item (
    job text NOT NULL,
    item_key text NOT NULL,
    attempts integer NOT NULL,
    held_until timestamptz NOT NULL,
    quarantined_at timestamptz,
    last_cycle_id bigint NOT NULL,
    last_outcome text NOT NULL,
    last_sqlstate text,
    last_message text,
    PRIMARY KEY (job, item_key)
);
