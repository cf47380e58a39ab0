-- What the role etl_reader may do in schema cache: fetch payloads, read the rest.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA cache TO etl_reader;

-- Dashboards fetch; dry runs, `etl verify` and DBAs read the tables.
GRANT SELECT ON
cache.topics, cache.tags, cache.entries, cache.entry_tags, cache.warmed, cache.mark, cache.hit,
cache.lifetimes
TO etl_reader;
GRANT EXECUTE ON FUNCTION cache.fetch_item, cache.fetch, cache.fetch_tag TO etl_reader;
GRANT EXECUTE ON FUNCTION cache.dirty_items, cache.topic_asked TO etl_reader;
