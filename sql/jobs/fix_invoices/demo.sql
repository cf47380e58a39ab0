-- What `etl demo` finds, and tells.
--
--   psql -f demo.sql
--
-- Parameters: none
-- Returns:    samples (invoices of sample.sql), others (any other: then there is no demo), told
-- Reads:      billing.invoices
-- Locks:      none
-- Cost:       in proportion to the invoices
SELECT
    count(*) FILTER (WHERE i.customer = 'sample') AS samples,
    count(*) FILTER (WHERE i.customer != 'sample') AS others,
    format(
        'There are %s invoices, with keys from %s to %s.', to_char(count(*), 'FM999,999,990'),
        to_char(min(i.invoice_id), 'FM999,999,999,999,999,990'),
        to_char(max(i.invoice_id), 'FM999,999,999,999,999,990')
    ) AS told
FROM billing.invoices AS i;
