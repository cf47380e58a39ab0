-- A refresh as a function: on Citus a bound key sends SELECT of a function to the shard's node,
-- but CALL of a procedure only where the key stands in its text.
--
--   psql -f refresh_user.sql
--
-- Parameters: of the function: user_id (dwh.dimension_users.dimension_user_id), as_of (the day
--             that counts as today, UTC)
-- Returns:    nothing; the function returns nothing either
-- Writes:     creates the function; see procedures/update_datamart_user.sql for what it writes
-- Locks:      see there
-- Cost:       that of the procedure; one statement, one transaction
CREATE OR REPLACE FUNCTION dwh.refresh_user(
    user_id integer, as_of date DEFAULT (now() AT TIME ZONE 'UTC')::date
)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    CALL dwh.update_datamart_user(user_id, as_of);
END
$$;
