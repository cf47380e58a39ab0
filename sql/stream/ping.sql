-- Whether the server answers, and takes writes.
--
-- Parameters: none
-- Returns:    whether it is a standby or read-only
-- Locks:      none
-- Cost:       constant
SELECT current_setting('transaction_read_only') = 'on' AS is_read_only;
