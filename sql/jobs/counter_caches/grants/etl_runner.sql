-- What the role etl_runner may do in schema social: count, and write counters.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
--
-- Users, follows and posts are the application's, which needs rights of its own: beside those
-- for its tables SELECT and UPDATE of the counters, for the triggers; and to call
-- social.add_to_counters, where the database takes that from everybody.
GRANT USAGE ON SCHEMA social TO etl_runner;

GRANT SELECT ON
social.users, social.follows, social.posts, social.true_count
TO etl_runner;

GRANT UPDATE (followers_count, following_count, posts_count) ON social.users TO etl_runner;

-- Everybody may call a new procedure unless that is revoked.
REVOKE EXECUTE ON PROCEDURE social.count_users FROM public;
GRANT EXECUTE ON PROCEDURE social.count_users TO etl_runner;
