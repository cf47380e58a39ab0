-- Acts as another role until the transaction ends.
--
-- Parameters: :'role'
-- Returns:    one row
-- Locks:      none
-- Cost:       constant
SELECT set_config('role', :'role', TRUE);
