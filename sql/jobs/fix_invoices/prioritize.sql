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

-- Each step reads :most keys and the first of the next range; none is there at the end.
range AS (
    SELECT
        s.level, s.kind, s.is_fee, s.last_key AS stretch_end,
        CAST(NULL AS bigint) AS first_key, CAST(NULL AS bigint) AS last_key, CAST(0 AS bigint) AS weight,
        (
            SELECT min(i.invoice_id)
            FROM billing.invoices AS i
            WHERE i.is_service_fee = s.is_fee AND i.invoice_id BETWEEN s.first_key AND s.last_key
        ) AS next_key
    FROM stretch AS s
    UNION ALL
    SELECT
        r.level, r.kind, r.is_fee, r.stretch_end, r.next_key, b.last_key, b.weight,
        (
            SELECT min(i.invoice_id)
            FROM billing.invoices AS i
            WHERE i.is_service_fee = r.is_fee AND i.invoice_id > b.last_key AND i.invoice_id <= r.stretch_end
        )
    FROM range AS r
    CROSS JOIN
        LATERAL (
            SELECT max(k.invoice_id) AS last_key, count(*) AS weight
            FROM (
                SELECT i.invoice_id
                FROM billing.invoices AS i
                WHERE i.is_service_fee = r.is_fee AND i.invoice_id BETWEEN r.next_key AND r.stretch_end
                ORDER BY i.invoice_id
                LIMIT CAST(:most AS bigint)
            ) AS k
        ) AS b
    WHERE r.next_key IS NOT NULL
),

bounded AS (
    SELECT
        r.level, r.kind, r.weight, r.first_key,
        CASE WHEN r.next_key IS NULL THEN r.stretch_end ELSE r.last_key END AS last_key
    FROM range AS r
    WHERE r.weight > 0
)

SELECT
    etl.range_key(b.kind, b.first_key, b.last_key) AS item_key,
    b.level, b.weight, b.kind, b.first_key, b.last_key
FROM bounded AS b
ORDER BY b.level, b.first_key;
