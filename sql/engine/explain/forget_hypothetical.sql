-- Takes away all hypothetical indexes of this session.
--
-- Parameters: none
-- Returns:    one row
-- Locks:      none
-- Cost:       constant
SELECT hypopg_reset();
