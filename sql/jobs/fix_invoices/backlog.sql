-- How many invoices are still to be looked at in this round, by pass.
--
--   psql -v round=0 -v from_key=-9223372036854775807 -v to_key=9223372036854775806 \
--        -v now=2026-01-16T03:00Z -f backlog.sql
--
-- Parameters: as of prioritize.sql
-- Returns:    level, items (invoices), oldest_dirty_at: null, nothing says since when an amount is
--             wrong; levels as in prioritize.sql
-- Reads:      what prioritize.sql reads
-- Locks:      none
-- Cost:       in proportion to the invoices that are left
SELECT
    c.level,
    b.items,
    CAST(NULL AS timestamptz) AS oldest_dirty_at
FROM (VALUES (1, 'fee', TRUE), (2, 'regular', FALSE)) AS c (level, kind, is_fee)
CROSS JOIN
    LATERAL (
        SELECT count(*) AS items
        FROM
            etl.keys_left(
                'fix_invoices', CAST(:round AS integer), c.kind,
                CAST(:'from_key' AS bigint), CAST(:'to_key' AS bigint), CAST(:'now' AS timestamptz)
            ) AS s
        INNER JOIN billing.invoices AS i
            ON c.is_fee = i.is_service_fee AND i.invoice_id BETWEEN s.first_key AND s.last_key
    ) AS b
ORDER BY c.level;
