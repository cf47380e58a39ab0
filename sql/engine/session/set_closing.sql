-- Settings of the transaction that closes the record of a cycle.
--
-- Parameters: :'nested_loops' (off while attempts copied a moment ago are read, on afterwards),
--             :'lock_timeout' (1s while the backlog is looked at, which may be left out; else 0)
-- Returns:    the values set
-- Locks:      none
-- Cost:       constant
--
-- This COMMIT is synchronous, and makes durable what workers committed before it. The server has
-- no statistics of attempts copied a moment ago. Where it takes them for few it compares each failed
-- one with all those done: 3.6 s of 1,000 and 20,000, not 10 ms.
SELECT
    set_config('synchronous_commit', 'on', TRUE),
    set_config('enable_nestloop', :'nested_loops', TRUE),
    set_config('lock_timeout', :'lock_timeout', TRUE);
