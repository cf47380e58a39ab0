-- Makes an index that exists for EXPLAIN in this session only. Needs the extension hypopg.
--
-- Parameters: :'index'  CREATE INDEX …, without CONCURRENTLY
-- Returns:    one row: the name of the index in plans
-- Writes:     nothing
-- Locks:      none
-- Cost:       constant
SELECT h.indexname FROM hypopg_create_index(:'index') AS h;
