-- Clean unit_names, chosen by lot: those whose result should be right.
--
--   psql -v as_of=2026-01-16 -v sample=100 -v seed=1 -v item_key= -f clean.sql
--
-- Parameters: :'as_of'     the day that counts as today, UTC: unused here, known all the same
--             :'sample'    how many; NULL: all of them
--             :'seed'      another number, another lot; the same number, the same one
--             :'item_key'  only this unit_name; empty: any
-- Returns:    item_key; population, how many clean ones there are: the same in each row
-- Reads:      job_schema.result, job_schema.mark
-- Locks:      none
-- Cost:       in proportion to the unit_names: each draws a number
SELECT
    r.item_key,
    count(*) OVER () AS population
FROM job_schema.result AS r
WHERE
    NOT EXISTS (SELECT FROM job_schema.mark AS m WHERE m.item_key = r.item_key)
    AND :'item_key' IN ('', CAST(r.item_key AS text))
ORDER BY hashtextextended(CAST(r.item_key AS text), CAST(:'seed' AS bigint)), r.item_key
LIMIT CAST(:'sample' AS bigint);
