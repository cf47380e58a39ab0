-- billing.without_rate(invoice_id): the amount of an invoice that has no rate: an error that says so.
--
-- Parameters: invoice_id  of the invoice; it makes the server ask only where there is no rate
-- Returns:    nothing: 23502
-- Locks:      none
-- Cost:       constant
CREATE OR REPLACE FUNCTION billing.without_rate(invoice_id bigint)
RETURNS numeric
LANGUAGE plpgsql AS $$
BEGIN
    RAISE not_null_violation
        USING MESSAGE = 'the invoice has no rate', DETAIL = format('invoice_id %s', invoice_id);
END
$$;
