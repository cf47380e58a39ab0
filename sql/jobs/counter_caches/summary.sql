-- What a cycle has counted: users, batches and the longest batch, of each counter.
--
--   psql -v cycle_id=1 -f summary.sql
--
-- Parameters: :cycle_id  the cycle
-- Returns:    what, value. No row was locked for longer than the longest batch took
-- Reads:      etl.attempt of this cycle
-- Locks:      none
-- Cost:       in proportion to the batches
SELECT
    split_part(a.item_key, ':', 1) AS what,
    format(
        'users counted: %s, batches: %s, longest batch: %s ms',
        to_char(sum(a.weight), 'FM999,999,999,999'), to_char(count(*), 'FM999,999,999'),
        to_char(max(a.duration_ms), 'FM999,999,990')
    ) AS value
FROM etl.attempt AS a
WHERE a.cycle_id = :cycle_id AND a.outcome = 'done'
GROUP BY what
ORDER BY min(a.level), what;
