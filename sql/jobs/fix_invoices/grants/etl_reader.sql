-- What the role etl_reader may do in schema billing: read it, as verify.sql and a dry run do.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA billing TO etl_reader;

GRANT SELECT ON billing.invoices, billing.wrong_invoices TO etl_reader;
