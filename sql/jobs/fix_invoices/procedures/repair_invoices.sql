-- billing.repair_invoices(kind, first_key, last_key): computes the amounts of a range of invoices
-- again, and writes those that are wrong.
--
-- Parameters: kind  fee: service fees; regular: all others
--             first_key, last_key  billing.invoices.invoice_id
-- Returns:    nothing. 23502 where an invoice has no rate, 22003 where an amount is too large:
--             then nothing of the range is written
-- Writes:     the wrong rows of billing.invoices
-- Locks:      those rows, until the transaction ends; waits for somebody else's as lock_timeout says
-- Cost:       in proportion to the invoices in between; 5 to 7 us each where all are read and a
--             third are written
--
-- Safe while people change invoices: each amount is computed from its own row. Where another
-- transaction has changed that row meanwhile, the server computes it, and whether it is wrong,
-- from what that one has committed. Idempotent: what is right is not written again.
CREATE OR REPLACE PROCEDURE billing.repair_invoices(kind text, first_key bigint, last_key bigint)
LANGUAGE plpgsql AS $$
BEGIN
    IF kind = 'fee' THEN
        UPDATE billing.invoices AS i
        SET
            fee_cents = coalesce(round(i.base_cents * i.rate), billing.without_rate(i.invoice_id)),
            total_cents = round(i.base_cents * i.rate),
            repaired_at = clock_timestamp()
        WHERE
            i.invoice_id BETWEEN first_key AND last_key AND i.is_service_fee
            AND (
                i.fee_cents IS DISTINCT FROM round(i.base_cents * i.rate)
                OR i.total_cents IS DISTINCT FROM round(i.base_cents * i.rate)
            );
    ELSIF kind = 'regular' THEN
        UPDATE billing.invoices AS i
        SET
            tax_cents = coalesce(round(i.base_cents * i.rate), billing.without_rate(i.invoice_id)),
            total_cents = i.base_cents + round(i.base_cents * i.rate),
            repaired_at = clock_timestamp()
        WHERE
            i.invoice_id BETWEEN first_key AND last_key AND NOT i.is_service_fee
            AND (
                i.tax_cents IS DISTINCT FROM round(i.base_cents * i.rate)
                OR i.total_cents IS DISTINCT FROM i.base_cents + round(i.base_cents * i.rate)
            );
    ELSE
        RAISE invalid_parameter_value USING MESSAGE = format('no invoices are called %L', kind);
    END IF;
END
$$;
