-- Clean users, chosen by lot: those whose datamart row should be right.
--
--   psql -v as_of=2026-01-16 -v sample=100 -v seed=1 -v item_key= -f clean.sql
--
-- Parameters: :'as_of'     the day that counts as today, UTC
--             :'sample'    how many; NULL: all of them
--             :'seed'      another number, another lot; the same number, the same one
--             :'item_key'  only this user; empty: any
-- Returns:    item_key; population, how many clean users there are: the same in each row.
--             A job whose process.sql takes more than the key has more columns here
-- Reads:      dwh.dimension_users, dwh.datamart_users
-- Locks:      none
-- Cost:       in proportion to the users: each draws a number
SELECT
    c.dimension_user_id AS item_key,
    count(*) OVER () AS population
FROM dwh.dimension_users AS c
LEFT JOIN dwh.datamart_users AS d ON c.dimension_user_id = d.dimension_user_id
WHERE
    NOT c.modified
    AND (d.next_change_on IS NULL OR d.next_change_on > CAST(:'as_of' AS date))
    AND :'item_key' IN ('', CAST(c.dimension_user_id AS text))
ORDER BY hashint8extended(c.dimension_user_id, CAST(:'seed' AS bigint)), c.dimension_user_id
LIMIT CAST(:'sample' AS bigint);
