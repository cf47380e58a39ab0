-- The invoices whose amounts are wrong, of all; those without a rate among them.
--
--   psql -f verify.sql
--
-- Parameters: none
-- Returns:    item_key  such as fee:7; problem. No row: all right
-- Reads:      billing.invoices
-- Locks:      none
-- Cost:       in proportion to the invoices: the table is read once
SELECT
    etl.range_key(w.kind, w.invoice_id, w.invoice_id) AS item_key,
    CASE
        WHEN w.right_total_cents IS NULL THEN 'has no rate'
        ELSE
            format(
                'has %s of %s in all, should have %s of %s',
                w.part_cents, w.total_cents, w.right_part_cents, w.right_total_cents
            )
    END AS problem
FROM billing.wrong_invoices AS w
ORDER BY w.kind, w.invoice_id;
