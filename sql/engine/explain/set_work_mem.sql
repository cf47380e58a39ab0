-- Lets each sort and each hash table of the transaction take so much memory.
--
-- Parameters: :'work_mem'  in PostgreSQL's notation
-- Returns:    one row, the value set
-- Locks:      none
-- Cost:       constant
SELECT set_config('work_mem', :'work_mem', TRUE);
