-- What the role etl_runner may do in schema billing: repair amounts, and nothing else of an invoice.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA billing TO etl_runner;

GRANT SELECT ON billing.invoices, billing.wrong_invoices TO etl_runner;
GRANT UPDATE (fee_cents, tax_cents, total_cents, repaired_at) ON billing.invoices TO etl_runner;

-- Everybody may call a new procedure or function unless that is revoked.
REVOKE EXECUTE ON PROCEDURE billing.repair_invoices FROM public;
GRANT EXECUTE ON PROCEDURE billing.repair_invoices TO etl_runner;
REVOKE EXECUTE ON FUNCTION billing.without_rate FROM public;
GRANT EXECUTE ON FUNCTION billing.without_rate TO etl_runner;
