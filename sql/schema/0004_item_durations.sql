-- How long the items of a cycle took, counted by buckets: what is left of it when the
-- attempts are forgotten.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     adds columns to etl.cycle
-- Locks:      the table, for a moment: the columns have no stored defaults
-- Cost:       constant
--
-- A monitoring system takes the difference of two sums over all cycles. Were they taken over
-- the attempts, each night that forgets some would look like a restart from zero.
ALTER TABLE etl.cycle
ADD COLUMN duration_counts bigint[],
ADD COLUMN duration_sum_s double precision;

COMMENT ON COLUMN etl.cycle.duration_counts IS
'How many of its done items took at most 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5,
10, 30, 60, 300 s, and any time; null before it has finished, or where nobody knows';
COMMENT ON COLUMN etl.cycle.duration_sum_s IS 'How long they took together, seconds';
