-- How long one statement of this session may take from now on.
--
-- Parameters: :'statement_timeout' in PostgreSQL's notation
-- Returns:    one row, the value set
-- Locks:      none
-- Cost:       constant; only where an item of the slow lane begins or ends
SELECT set_config('statement_timeout', :'statement_timeout', FALSE);
