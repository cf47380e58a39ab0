-- Marks one user dirty, as the triggers do: the next cycle refreshes the row.
--
--   psql -v item_key=42 -f mark.sql
--
-- Parameters: :'item_key'  dwh.dimension_users.dimension_user_id
-- Returns:    nothing
-- Writes:     one row of dwh.dimension_users
-- Locks:      that row
-- Cost:       constant
UPDATE dwh.dimension_users
SET modified = TRUE
WHERE dimension_user_id = CAST(:'item_key' AS integer);
