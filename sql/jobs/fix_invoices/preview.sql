-- What a cycle would change: in each pass how many invoices are wrong, and the first of them.
--
--   psql -v from_key=-9223372036854775807 -v to_key=9223372036854775806 -f preview.sql
--
-- Parameters: :'from_key', :'to_key'  the first and the last invoice_id that matter
-- Returns:    what (the pass), records, sample; no row for a pass in which none is wrong
-- Reads:      billing.invoices between these keys
-- Locks:      none
-- Cost:       in proportion to the invoices in between
WITH wrong AS (
    SELECT
        w.kind,
        count(*) AS records,
        min(
            ARRAY[w.invoice_id, w.part_cents, w.right_part_cents, w.total_cents, w.right_total_cents]
        ) AS sample -- the first invoice's
    FROM billing.wrong_invoices AS w
    WHERE w.invoice_id BETWEEN CAST(:'from_key' AS bigint) AND CAST(:'to_key' AS bigint)
    GROUP BY w.kind
)

SELECT
    CASE w.kind WHEN 'fee' THEN 'service fees' ELSE 'other invoices' END AS what,
    w.records,
    CASE
        WHEN w.sample[5] IS NULL THEN format('invoice %s has no rate', w.sample[1])
        ELSE
            format(
                'invoice %s: %s %s -> %s, total %s -> %s', w.sample[1],
                CASE w.kind WHEN 'fee' THEN 'fee' ELSE 'tax' END,
                w.sample[2], w.sample[3], w.sample[4], w.sample[5]
            )
    END AS sample
FROM wrong AS w
ORDER BY w.kind;
