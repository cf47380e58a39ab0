-- What an operator asks of the ledger beyond counts: what was predicted, what a cycle waited
-- for, how much work each item was; and what he or she says to a cycle from elsewhere.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     adds columns to etl.cycle and etl.attempt, creates etl.control
-- Locks:      both tables, for a moment: the columns have no stored defaults
-- Cost:       constant
ALTER TABLE etl.cycle
ADD COLUMN time_limit_s double precision,
ADD COLUMN predicted_s double precision,
ADD COLUMN predicted_p95_s double precision,
ADD COLUMN waits_for text,
ADD COLUMN waits jsonb NOT NULL DEFAULT '[]';

COMMENT ON COLUMN etl.cycle.levels IS
'An array, one object a level: level, name, found, done, failed, busy, orphaned; oldest_dirty_at,
when its longest dirty item became so, at the beginning; and once the cycle has finished: left and
oldest_left_at, the same of its backlog then, with what became dirty meanwhile';
COMMENT ON COLUMN etl.cycle.time_limit_s IS 'What the cycle might take, seconds; null: no limit';
COMMENT ON COLUMN etl.cycle.predicted_s IS
'How long it was expected to take when its queue was built, seconds; null where nothing was known';
COMMENT ON COLUMN etl.cycle.predicted_p95_s IS 'It was to take longer than that once in twenty times';
COMMENT ON COLUMN etl.cycle.waits_for IS
'Why no item is claimed just now: paused by somebody, or a health signal; null: it goes on';
COMMENT ON COLUMN etl.cycle.waits IS
'Each time that it waited, an object: reason, since, seconds';

ALTER TABLE etl.attempt ADD COLUMN weight double precision;

COMMENT ON COLUMN etl.attempt.weight IS
'How much work the item was, as the job''s prioritization said: a number of facts, say';

-- What somebody wants of a job's cycles; a running one looks once a second, and so learns of it
-- from any terminal on any host. No row: nothing is wanted.
CREATE TABLE etl.control (
    job text PRIMARY KEY,
    paused_until timestamptz,
    pause_reason text,
    cancelled_cycle_id bigint,
    cancels_running boolean NOT NULL DEFAULT FALSE,
    workers_cycle_id bigint,
    workers integer CHECK (workers >= 1),
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT session_user
);

COMMENT ON COLUMN etl.control.paused_until IS 'Nothing is claimed before; infinity: until resumed';
COMMENT ON COLUMN etl.control.cancelled_cycle_id IS 'This cycle finishes what is in hand, and ends';
COMMENT ON COLUMN etl.control.cancels_running IS 'It cancels what is in hand as well';
COMMENT ON COLUMN etl.control.workers_cycle_id IS 'This cycle is to have that many workers';
