-- What the role etl_runner may do in schema etl: keep the ledger of its cycles.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA etl TO etl_runner;

-- Every command compares its files with those of the database. Only `etl init` writes there:
-- who could, could hide that a procedure was replaced.
GRANT SELECT ON etl.applied_file TO etl_runner;

-- A cycle opens its record, keeps its counts up to date and closes it. Who ran it, where
-- and since when stays as it was written; no record is deleted.
GRANT SELECT, INSERT ON etl.cycle TO etl_runner;
GRANT UPDATE (
    max_items, workers, found, done, failed, busy, orphaned, remaining, levels, stop_reason,
    finished_at, time_limit_s, predicted_s, predicted_p95_s, waits_for, waits, duration_counts,
    duration_sum_s
) ON etl.cycle TO etl_runner;

-- Attempts are copied in when a cycle closes, and are history from then on; what is old goes
-- by etl.forget_attempts.
GRANT SELECT, INSERT ON etl.attempt TO etl_runner;
GRANT EXECUTE ON PROCEDURE etl.forget_attempts TO etl_runner;

-- A batch of a key range is acknowledged in its own transaction; a round begins and ends.
GRANT SELECT, INSERT ON etl.round TO etl_runner;
GRANT UPDATE (ended_at) ON etl.round TO etl_runner;
GRANT SELECT, INSERT, UPDATE, DELETE ON etl.done_range TO etl_runner;

-- The queue of a cycle: filled, claimed by row locks (which want a right to update), acknowledged.
GRANT SELECT, INSERT, DELETE ON etl.queue, etl.queue_item, etl.queue_outcome, etl.crew TO etl_runner;
GRANT UPDATE (crews, is_closing) ON etl.queue TO etl_runner;
GRANT UPDATE (server_process, since, left_at) ON etl.crew TO etl_runner;
GRANT UPDATE (position) ON etl.queue_item TO etl_runner;
GRANT USAGE ON SEQUENCE etl.queue_end TO etl_runner;

-- A message is acknowledged in its own transaction, and forgotten when it is old; the lock is for
-- forgetting.
GRANT SELECT, INSERT, DELETE ON etl.done_message TO etl_runner;
GRANT UPDATE (done_at) ON etl.done_message TO etl_runner;

-- Held when they fail, deleted when they are done or released.
GRANT SELECT, INSERT, UPDATE, DELETE ON etl.held_item TO etl_runner;

-- Whoever may run cycles may pause, cancel and resize them.
GRANT SELECT, INSERT, UPDATE ON etl.control TO etl_runner;

GRANT SELECT ON etl.held, etl.progress, etl.freshness, etl.failures TO etl_runner;

-- Everybody may call these, unless the database takes that from what is new.
GRANT EXECUTE ON FUNCTION
etl.back_off, etl.is_data_error, etl.range_key, etl.range_of, etl.keys_left
TO etl_runner;
