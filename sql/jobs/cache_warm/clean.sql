-- Clean items, chosen by lot: those whose payload should be right.
--
--   psql -v as_of=2026-01-16 -v sample=100 -v seed=1 -v item_key= -f clean.sql
--
-- Parameters: :'as_of'     the day that counts as today, UTC
--             :'sample'    how many; NULL: all of them
--             :'seed'      another number, another lot; the same number, the same one
--             :'item_key'  only this item; empty: any
-- Returns:    item_key; population, how many clean items there are: the same in each row;
--             clear, for process.sql
-- Reads:      cache.warmed, cache.mark
-- Locks:      none
-- Cost:       in proportion to the items: each draws a number
--
-- One that has expired on the same day is looked at too: time alone changes no payload.
SELECT
    w.item_key,
    count(*) OVER () AS population,
    FALSE AS clear
FROM cache.warmed AS w
WHERE
    w.as_of = CAST(:'as_of' AS date)
    AND NOT EXISTS (SELECT FROM cache.mark AS m WHERE m.item_key = w.item_key)
    AND :'item_key' IN ('', w.item_key)
ORDER BY hashtextextended(w.item_key, CAST(:'seed' AS bigint)), w.item_key
LIMIT CAST(:'sample' AS bigint);
