-- Says what the next probe.sql of this transaction is about.
--
-- Parameters: :'wanted'  JSON, see probe.sql
-- Returns:    one row, the value set
-- Locks:      none
-- Cost:       constant
SELECT set_config('etl.probe', :'wanted', TRUE);
