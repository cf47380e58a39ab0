-- The ranges of invoices that are still to be repaired in this round: the service fees, then the
-- others, each in the order of the keys.
--
--   psql -v round=0 -v from_key=-9223372036854775807 -v to_key=9223372036854775806 -v most=50000 \
--        -v now=2026-01-16T03:00Z -f prioritize.sql
--
-- Parameters: :round    the round of etl.done_range
--             :'from_key', :'to_key'  the first and the last invoice_id that matter
--             :most     invoices of a range
--             :'now'    the moment the cycle began; invoices held beyond it are left out
-- Returns:    item_key  such as fee:1..999
--             level     1 service fees, 2 other invoices
--             weight    how many invoices there are in the range
--             kind      fee, regular
--             first_key, last_key  the range; the last one of a stretch reaches to its end, so that
--                       invoices which come later are in it
-- Reads:      an index of billing.invoices alone; etl.done_range, etl.held_item
-- Locks:      none
-- Cost:       in proportion to the invoices that are left, whatever the gaps between their keys;
--             memory goes with the ranges
WITH RECURSIVE stretch AS (
    SELECT c.level, c.kind, c.is_fee, s.first_key, s.last_key
    FROM (VALUES (1, 'fee', TRUE), (2, 'regular', FALSE)) AS c (level, kind, is_fee)
    CROSS JOIN
        LATERAL etl.keys_left(
            'fix_invoices', CAST(:round AS integer), c.kind,
            CAST(:'from_key' AS bigint), CAST(:'to_key' AS bigint), CAST(:'now' AS timestamptz)
        ) AS s
),

-- Each step passes over :most keys, and finds the first of the next range; none is there at the end.
range AS (
    SELECT
        s.level, s.kind, s.is_fee, s.last_key AS stretch_end, CAST(NULL AS bigint) AS first_key,
        (
            SELECT min(i.invoice_id)
            FROM billing.invoices AS i
            WHERE i.is_service_fee = s.is_fee AND i.invoice_id BETWEEN s.first_key AND s.last_key
        ) AS next_key
    FROM stretch AS s
    UNION ALL
    SELECT
        r.level, r.kind, r.is_fee, r.stretch_end, r.next_key,
        (
            SELECT i.invoice_id
            FROM billing.invoices AS i
            WHERE i.is_service_fee = r.is_fee AND i.invoice_id BETWEEN r.next_key AND r.stretch_end
            ORDER BY i.invoice_id
            LIMIT 1 OFFSET CAST(:most AS bigint)
        )
    FROM range AS r
    WHERE r.next_key IS NOT NULL
),

bounded AS (
    SELECT
        r.level, r.kind, r.first_key,
        CASE WHEN r.next_key IS NULL THEN r.stretch_end ELSE b.last_key END AS last_key,
        CASE WHEN r.next_key IS NULL THEN b.keys ELSE CAST(:most AS bigint) END AS weight
    FROM range AS r
    CROSS JOIN
        LATERAL (
            SELECT
                (
                    SELECT max(i.invoice_id)
                    FROM billing.invoices AS i
                    WHERE i.is_service_fee = r.is_fee AND i.invoice_id < r.next_key
                ) AS last_key,
                (
                    SELECT count(*)
                    FROM billing.invoices AS i
                    WHERE
                        i.is_service_fee = r.is_fee AND r.next_key IS NULL
                        AND i.invoice_id BETWEEN r.first_key AND r.stretch_end
                ) AS keys
        ) AS b
    WHERE r.first_key IS NOT NULL
)

SELECT
    etl.range_key(b.kind, b.first_key, b.last_key) AS item_key,
    b.level, b.weight, b.kind, b.first_key, b.last_key
FROM bounded AS b
ORDER BY b.level, b.first_key;
