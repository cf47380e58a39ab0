-- Settings of the transaction in which a backlog is counted and listed.
--
-- Parameters: none
-- Returns:    the values set
-- Locks:      none
-- Cost:       constant
--
-- A list of 100,000 items is sorted and merged in memory instead of on disk; where more is
-- allowed, it stays so. Compiling a query (jit) takes longer than a short one runs, and what
-- makes a long one long is no expression.
SELECT
    set_config('jit', 'off', TRUE),
    CASE
        WHEN pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')
            THEN set_config('work_mem', '64MB', TRUE)
    END AS work_mem;
