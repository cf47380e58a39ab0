-- Begins the transaction of an item: its claim, its statement, its acknowledgement.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      none
-- Cost:       constant
BEGIN;
