-- Whether this login has the rights to take part in a cycle.
--
-- Parameters: none
-- Returns:    one row
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT
    has_table_privilege('etl.crew', 'INSERT')
    AND has_table_privilege('etl.queue_item', 'DELETE')
    AND has_table_privilege('etl.queue_outcome', 'INSERT') AS may_join;
