-- The unit_names whose result is wrong, computed for all at once and independently of the
-- procedure: change both when the result changes.
--
--   psql -f verify.sql
--
-- Parameters: :'as_of'  the day that counts as today, UTC: unused here, known all the same
-- Returns:    item_key, problem; no row: all right. Dirty unit_names are not looked at:
--             theirs may be wrong
-- Reads:      all of source_table, job_schema.mark, job_schema.result
-- Locks:      none
-- Cost:       that of reading source_table once
WITH expected AS (
    SELECT s.source_key AS item_key, count(*) AS source_rows
    FROM source_table AS s
    WHERE s.source_key IS NOT NULL
    GROUP BY s.source_key
)

SELECT
    coalesce(e.item_key, r.item_key) AS item_key,
    CASE
        WHEN r.item_key IS NULL THEN 'has no result'
        WHEN e.item_key IS NULL THEN 'has a result, but no row in the source'
        ELSE format('differs: source_rows is %s, should be %s', r.source_rows, e.source_rows)
    END AS problem
FROM expected AS e
FULL JOIN job_schema.result AS r ON e.item_key = r.item_key
WHERE
    e.source_rows IS DISTINCT FROM r.source_rows
    AND NOT EXISTS (
        SELECT FROM job_schema.mark AS m
        WHERE m.item_key = coalesce(e.item_key, r.item_key)
    )
ORDER BY item_key;
