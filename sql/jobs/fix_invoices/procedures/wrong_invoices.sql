-- billing.wrong_invoices: the invoices whose amounts are not what they should be.
--
-- Parameters: none
-- Returns:    invoice_id, kind (fee, regular), and of each amount what is stored and what it should
--             be; null where that cannot be told, because the invoice has no rate
-- Reads:      billing.invoices
-- Locks:      none
-- Cost:       in proportion to the invoices read
CREATE OR REPLACE VIEW billing.wrong_invoices AS
SELECT
    i.invoice_id,
    CASE WHEN i.is_service_fee THEN 'fee' ELSE 'regular' END AS kind,
    CASE WHEN i.is_service_fee THEN i.fee_cents ELSE i.tax_cents END AS part_cents,
    r.part_cents AS right_part_cents,
    i.total_cents,
    r.total_cents AS right_total_cents
FROM billing.invoices AS i
CROSS JOIN
    LATERAL (
        SELECT
            round(i.base_cents * i.rate) AS part_cents,
            round(i.base_cents * i.rate) + CASE WHEN i.is_service_fee THEN 0 ELSE i.base_cents END AS total_cents
    ) AS r
WHERE
    CASE WHEN i.is_service_fee THEN i.fee_cents ELSE i.tax_cents END IS DISTINCT FROM r.part_cents
    OR i.total_cents IS DISTINCT FROM r.total_cents;
