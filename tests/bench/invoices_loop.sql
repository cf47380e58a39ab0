-- The rival of bar 15: the repair as an experienced hand writes it for one night, a procedure that
-- walks the keys of each kind and commits behind every 50,000. It remembers nothing, so a second run
-- begins with the first key, and one invoice that cannot be repaired ends it.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     the wrong rows of billing.invoices
-- Locks:      those of a batch, until it commits
-- Cost:       in proportion to the invoices
CREATE PROCEDURE billing.repair_by_hand()
LANGUAGE plpgsql AS $$
DECLARE
    behind bigint := -1;
    upto bigint;
BEGIN
    LOOP
        SELECT max(k.invoice_id) INTO upto FROM (
            SELECT i.invoice_id FROM billing.invoices AS i
            WHERE i.is_service_fee AND i.invoice_id > behind ORDER BY i.invoice_id LIMIT 50000
        ) AS k;
        EXIT WHEN upto IS NULL;
        UPDATE billing.invoices AS i
        SET
            fee_cents = round(i.base_cents * i.rate),
            total_cents = round(i.base_cents * i.rate),
            repaired_at = clock_timestamp()
        WHERE
            i.invoice_id > behind AND i.invoice_id <= upto AND i.is_service_fee
            AND (
                i.fee_cents != round(i.base_cents * i.rate)
                OR i.total_cents != round(i.base_cents * i.rate)
            );
        COMMIT;
        behind := upto;
    END LOOP;
    behind := -1;
    LOOP
        SELECT max(k.invoice_id) INTO upto FROM (
            SELECT i.invoice_id FROM billing.invoices AS i
            WHERE NOT i.is_service_fee AND i.invoice_id > behind ORDER BY i.invoice_id LIMIT 50000
        ) AS k;
        EXIT WHEN upto IS NULL;
        UPDATE billing.invoices AS i
        SET
            tax_cents = round(i.base_cents * i.rate),
            total_cents = i.base_cents + round(i.base_cents * i.rate),
            repaired_at = clock_timestamp()
        WHERE
            i.invoice_id > behind AND i.invoice_id <= upto AND NOT i.is_service_fee
            AND (
                i.tax_cents != round(i.base_cents * i.rate)
                OR i.total_cents != i.base_cents + round(i.base_cents * i.rate)
            );
        COMMIT;
        behind := upto;
    END LOOP;
END
$$;

CALL billing.repair_by_hand();
