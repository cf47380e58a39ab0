-- Sample invoices, of which a third have wrong amounts; three have no rate, and cannot be repaired.
-- The same number gives the same invoices.
--
--   psql -1 -v scale=20000 -f sample.sql
--
-- Parameters: :scale  number of invoices
-- Returns:    nothing of interest
-- Writes:     billing.invoices
-- Locks:      the rows written
-- Cost:       in proportion to :scale
--
-- The keys are skewed, and nine of ten are missing: the first tenth stand close together, then there
-- is about one in eleven, and the last hundredth come after a gap of a million million.
INSERT INTO billing.invoices (
    invoice_id, customer, is_service_fee, issued_on, base_cents, rate, fee_cents, tax_cents, total_cents
)
SELECT
    CASE
        WHEN n.i <= n.scale / 10 THEN n.i
        ELSE
            n.scale / 10
            + (n.i - n.scale / 10) * 11
            - n.lot % 10
            + CASE WHEN n.i > n.scale * 99 / 100 THEN 1e12 ELSE 0 END
    END,
    'sample',
    n.is_service_fee,
    CAST('2020-01-01' AS date) + CAST(n.i * 2000 / n.scale AS integer),
    n.base_cents,
    CASE WHEN n.i NOT IN (n.scale / 4, n.scale / 2, n.scale) THEN n.rate END,
    CASE WHEN n.is_service_fee AND n.is_right THEN n.part_cents ELSE 0 END,
    CASE WHEN NOT n.is_service_fee AND n.is_right THEN n.part_cents ELSE 0 END,
    CASE WHEN n.is_service_fee THEN 0 ELSE n.base_cents END + CASE WHEN n.is_right THEN n.part_cents ELSE 0 END
FROM (
    SELECT
        s.*,
        s.lot % 20 = 0 AS is_service_fee,
        s.lot % 3 > 0 AS is_right,
        1000 + s.lot % 100000 AS base_cents,
        CASE WHEN s.lot % 20 = 0 THEN 0.0290 ELSE 0.1900 END AS rate,
        round((1000 + s.lot % 100000) * CASE WHEN s.lot % 20 = 0 THEN 0.0290 ELSE 0.1900 END) AS part_cents
    FROM (
        SELECT
            g.i,
            CAST(:scale AS bigint) AS scale,
            abs(hashint8(g.i) % 1000000) AS lot
        FROM generate_series(1, CAST(:scale AS bigint)) AS g (i)
    ) AS s
) AS n;
