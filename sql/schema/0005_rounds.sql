-- Jobs whose items are key ranges, and whose data carry no dirty mark: what of the keys is done.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates etl.round and etl.done_range
-- Locks:      none
-- Cost:       constant

-- A round takes each key once, in one cycle or several; then the next one begins with all of them.
CREATE TABLE etl.round (
    round_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    scope jsonb NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz
);

COMMENT ON COLUMN etl.round.scope IS
'Which keys, where somebody asked for some: from_key, to_key and options of the job. Another scope
is another round';

CREATE UNIQUE INDEX round_open ON etl.round (job, scope) WHERE ended_at IS NULL;

-- A row for each batch, written in its own transaction. The first column of the key makes one
-- round a contiguous part of the index.
CREATE TABLE etl.done_range (
    round_id integer NOT NULL,
    kind text NOT NULL,
    first_key bigint NOT NULL,
    last_key bigint NOT NULL,
    keys bigint NOT NULL,
    cycle_id bigint NOT NULL,
    done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round_id, kind, first_key),
    CHECK (last_key >= first_key)
);

COMMENT ON COLUMN etl.done_range.keys IS 'How many keys there were between the first and the last';
