-- Invoices with amounts that are computed from others.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema billing and its table
-- Locks:      none on existing objects
-- Cost:       constant
CREATE SCHEMA billing;

-- Amounts are whole cents. No index has them: an update that finds room in the row's page writes
-- no index entry, and fillfactor leaves room for some.
CREATE TABLE billing.invoices (
    invoice_id bigint PRIMARY KEY,
    customer text NOT NULL,
    is_service_fee boolean NOT NULL DEFAULT FALSE,
    issued_on date NOT NULL,
    base_cents bigint NOT NULL,
    rate numeric(6, 4) CHECK (rate <> 'NaN'),
    fee_cents bigint NOT NULL DEFAULT 0,
    tax_cents bigint NOT NULL DEFAULT 0,
    total_cents bigint NOT NULL DEFAULT 0,
    repaired_at timestamptz
) WITH (fillfactor = 90);

COMMENT ON COLUMN billing.invoices.base_cents IS 'What was sold; of a service fee, what it is a fee for';
COMMENT ON COLUMN billing.invoices.rate IS
'Of the fee, or of the tax. Null: nobody has said; then the amounts cannot be told';
COMMENT ON COLUMN billing.invoices.fee_cents IS 'Of a service fee: base_cents x rate, rounded';
COMMENT ON COLUMN billing.invoices.tax_cents IS 'Of any other invoice: base_cents x rate, rounded';
COMMENT ON COLUMN billing.invoices.total_cents IS 'Of a service fee: the fee; else base and tax';
COMMENT ON COLUMN billing.invoices.repaired_at IS 'When an amount of it was last repaired';

-- The keys of one pass, to be walked without a look at the table.
CREATE INDEX invoices_by_pass ON billing.invoices (is_service_fee, invoice_id);

-- An index is read alone only where a vacuum has been since the rows came.
ALTER TABLE billing.invoices SET (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05
);
