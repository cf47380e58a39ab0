-- Takes the attempts of a cycle from its claim journal.
--
-- Parameters: none; rows on standard input
-- Returns:    nothing
-- Writes:     etl.attempt, one row an attempt
-- Locks:      none
-- Cost:       in proportion to the attempts
COPY etl.attempt (
    cycle_id, item_key, level, worker, outcome, finished_at, duration_ms, sqlstate, message,
    weight
) FROM STDIN;
