-- Where a batch ends that begins at first_key and has so many invoices.
--
--   psql -v kind=fee -v first_key=1 -v last_key=50000 -v size=1000 -f cut.sql
--
-- Parameters: :'kind'   fee, or regular
--             :first_key, :last_key  the range
--             :size     invoices of the batch
-- Returns:    last_key  of the batch: that of the range where it has fewer invoices than :size
--             keys      how many there are
-- Reads:      an index of billing.invoices alone
-- Locks:      none
-- Cost:       in proportion to :size
SELECT
    CASE WHEN count(*) < CAST(:size AS bigint) THEN CAST(:last_key AS bigint) ELSE max(k.invoice_id) END
        AS last_key,
    count(*) AS keys
FROM (
    SELECT i.invoice_id
    FROM billing.invoices AS i
    WHERE
        i.is_service_fee = (CAST(:'kind' AS text) = 'fee')
        AND i.invoice_id BETWEEN CAST(:first_key AS bigint) AND CAST(:last_key AS bigint)
    ORDER BY i.invoice_id
    LIMIT CAST(:size AS bigint)
) AS k;
