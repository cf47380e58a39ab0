-- What the role etl_runner may do in schema cache: warm items, and mark them.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA cache TO etl_runner;
GRANT SELECT ON cache.topics, cache.tags, cache.entries, cache.entry_tags, cache.lifetimes TO etl_runner;

-- A payload is replaced, or removed with its topic; marks and counted reads go with each.
GRANT SELECT, INSERT, UPDATE, DELETE ON cache.warmed TO etl_runner;
GRANT SELECT, INSERT (item_key), DELETE ON cache.mark TO etl_runner;
GRANT SELECT, INSERT, DELETE ON cache.hit TO etl_runner;

-- Everybody may call what is new unless that is revoked. Fetching writes with the rights of its
-- owner, so who may fetch is said here and in etl_reader.sql; the other functions only read. Where the database
-- takes them from everybody, they are needed by name.
REVOKE EXECUTE ON PROCEDURE cache.warm FROM public;
REVOKE EXECUTE ON FUNCTION cache.fetch_item, cache.fetch, cache.fetch_tag FROM public;
GRANT EXECUTE ON PROCEDURE cache.warm TO etl_runner;
GRANT EXECUTE ON FUNCTION cache.fetch_item, cache.fetch, cache.fetch_tag TO etl_runner;
GRANT EXECUTE ON FUNCTION
cache.dirty_items, cache.topic_asked, cache.topic_payload, cache.tag_payload, cache.figures
TO etl_runner;
