-- What the role etl_reader may do in schema social: read it, as verify.sql and a dry run do.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA social TO etl_reader;

GRANT SELECT ON
social.users, social.follows, social.posts, social.true_count
TO etl_reader;
