-- What a cycle has repaired: of each pass the invoices that are right now, those that cannot be
-- repaired, and the longest batch; then why they cannot.
--
--   psql -v cycle_id=1 -f summary.sql
--
-- Parameters: :cycle_id  the cycle
-- Returns:    what, value
-- Reads:      etl.attempt of this cycle; billing.invoices.repaired_at is not asked: that would read
--             the whole table
-- Locks:      none
-- Cost:       in proportion to the batches
WITH attempt AS (
    SELECT
        a.*,
        CASE split_part(a.item_key, ':', 1) WHEN 'fee' THEN 'service fees' ELSE 'other invoices' END AS pass
    FROM etl.attempt AS a
    WHERE a.cycle_id = :cycle_id
),

told AS (
    SELECT
        min(a.level) AS place,
        a.pass AS what,
        format(
            'right now: %s, cannot be repaired: %s, batches: %s, longest batch: %s ms',
            to_char(coalesce(sum(a.weight) FILTER (WHERE a.outcome = 'done'), 0), 'FM999,999,999,990'),
            to_char(coalesce(sum(greatest(a.weight, 1)) FILTER (WHERE a.outcome = 'failed'), 0), 'FM999,999,999,990'),
            to_char(count(*) FILTER (WHERE a.outcome = 'done'), 'FM999,999,990'),
            to_char(max(a.duration_ms) FILTER (WHERE a.outcome = 'done'), 'FM999,999,990')
        ) AS value
    FROM attempt AS a
    GROUP BY a.pass
    UNION ALL
    SELECT
        1000,
        coalesce(a.message, a.sqlstate),
        format('%s, such as %s', to_char(sum(greatest(a.weight, 1)), 'FM999,999,999,990'), min(a.item_key))
    FROM attempt AS a
    WHERE a.outcome = 'failed'
    GROUP BY coalesce(a.message, a.sqlstate)
)

SELECT
    t.what,
    t.value
FROM told AS t
ORDER BY t.place, t.what
LIMIT 12; -- passes, and ten reasons
