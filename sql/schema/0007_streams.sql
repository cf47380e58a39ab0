-- Jobs whose items are messages of a queue outside of the database: which are done.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates etl.done_message
-- Locks:      none
-- Cost:       constant

-- A row for each message, written in its own transaction: a message that comes again breaks the
-- key, and nothing of it is done. A row is forgotten after the days that its job names.
CREATE TABLE etl.done_message (
    job text NOT NULL,
    message_id text NOT NULL,
    done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job, message_id)
);

-- The way to the oldest of a job, without a look at the others.
CREATE INDEX done_message_by_age ON etl.done_message (job, done_at);
