-- The queue that many hosts share: the frozen order of a cycle in a table.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates etl.queue, etl.queue_item, etl.queue_outcome and etl.crew
-- Locks:      none
-- Cost:       constant

-- The cycle whose queue it is, and what a worker on any host has to know to take part in it.
CREATE TABLE etl.queue (
    cycle_id bigint PRIMARY KEY,
    job text NOT NULL,
    names text[] NOT NULL,
    parameters jsonb NOT NULL,
    files jsonb NOT NULL,
    batch_size integer,
    crews integer NOT NULL DEFAULT 0,
    is_closing boolean NOT NULL DEFAULT FALSE
);

COMMENT ON COLUMN etl.queue.names IS 'The columns of the prioritization, in the order of queue_item.fields';
COMMENT ON COLUMN etl.queue.parameters IS 'What process.sql gets that is the same for every item';
COMMENT ON COLUMN etl.queue.files IS 'SHA-256 of each file of the job that a worker uses';
COMMENT ON COLUMN etl.queue.is_closing IS 'Nothing may be claimed any more: the crews are to leave';

-- An item is inserted once and deleted by its acknowledgement in its own transaction; it is never
-- updated. So it leaves one dead row, and vacuum may come as soon as there are some thousand.
CREATE TABLE etl.queue_item (
    cycle_id bigint NOT NULL,
    position bigint NOT NULL,
    item_key text NOT NULL,
    level integer NOT NULL,
    fields text[] NOT NULL,
    is_slow boolean NOT NULL DEFAULT FALSE,
    deferred_worker integer,
    deferred_sqlstate text,
    deferred_message text,
    PRIMARY KEY (cycle_id, position)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_threshold = -1
);

COMMENT ON COLUMN etl.queue_item.deferred_worker IS
'It failed for now: so it is told, by this worker, unless it comes again in this cycle';

-- Few are deferred: who looks for one by its key need not read the whole queue.
CREATE INDEX queue_item_deferred ON etl.queue_item (cycle_id, item_key) WHERE deferred_worker IS NOT NULL;

-- Where items stand that are given back: behind all others.
CREATE SEQUENCE etl.queue_end AS bigint START 1000000000000 MINVALUE 1000000000000;

-- What became of items: written in the item's own transaction, and moved on into etl.attempt by
-- the cycle a few times a second.
CREATE TABLE etl.queue_outcome (
    cycle_id bigint NOT NULL,
    position bigint NOT NULL,
    item_key text NOT NULL,
    level integer NOT NULL,
    weight double precision,
    worker integer NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'failed', 'busy', 'orphaned', 'deferred')),
    duration_ms double precision,
    sqlstate text,
    message text,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_threshold = -1
);

-- The workers of one host in a cycle, beside those of the host that runs it.
CREATE TABLE etl.crew (
    cycle_id bigint NOT NULL,
    crew integer NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    workers integer NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    server_process integer NOT NULL DEFAULT pg_backend_pid(),
    left_at timestamptz,
    PRIMARY KEY (cycle_id, crew)
);

COMMENT ON COLUMN etl.crew.crew IS 'Its workers have the numbers from a thousand times this on';
COMMENT ON COLUMN etl.crew.server_process IS 'Of its connection; whose connection is gone is not waited for';

-- Of a cycle with such a queue the tables alone tell how it stands, whatever host it ran on.
ALTER TABLE etl.cycle ADD COLUMN queue text NOT NULL DEFAULT 'file' CHECK (queue IN ('file', 'postgres'));

COMMENT ON COLUMN etl.cycle.queue IS 'file: on the host that ran it; postgres: etl.queue_item';
