-- The command that lets each sort and each hash table of this role take so much memory.
--
-- Parameters: :'work_mem'  in PostgreSQL's notation
-- Returns:    one row, the command
-- Reads:      nothing
-- Locks:      none; the command is not run
-- Cost:       constant
SELECT
    format(
        'ALTER ROLE %I IN DATABASE %I SET work_mem = %L;',
        session_user, current_database(), CAST(:'work_mem' AS text)
    ) AS command;
