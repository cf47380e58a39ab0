-- What a cycle has repaired: of each pass the invoices looked at, those written, those that could
-- not be repaired; and the longest batch.
--
--   psql -v cycle_id=1 -f summary.sql
--
-- Parameters: :cycle_id  the cycle
-- Returns:    what, value
-- Reads:      etl.attempt of this cycle; billing.invoices.repaired_at is not asked: that would read
--             the whole table
-- Locks:      none
-- Cost:       in proportion to the batches
SELECT
    CASE split_part(a.item_key, ':', 1) WHEN 'fee' THEN 'service fees' ELSE 'other invoices' END AS what,
    format(
        'right now: %s, cannot be repaired: %s, batches: %s, longest batch: %s ms',
        to_char(coalesce(sum(a.weight) FILTER (WHERE a.outcome = 'done'), 0), 'FM999,999,999,990'),
        to_char(coalesce(sum(a.weight) FILTER (WHERE a.outcome = 'failed'), 0), 'FM999,999,999,990'),
        to_char(count(*) FILTER (WHERE a.outcome = 'done'), 'FM999,999,990'),
        to_char(max(a.duration_ms) FILTER (WHERE a.outcome = 'done'), 'FM999,999,990')
    ) AS value
FROM etl.attempt AS a
WHERE a.cycle_id = :cycle_id
GROUP BY what
ORDER BY min(a.level), what;
