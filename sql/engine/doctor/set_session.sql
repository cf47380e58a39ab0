-- Settings of a session that looks a server over: it changes nothing, never waits long, and
-- shows every name with its schema, so that a command can be pasted into any session.
--
-- Parameters: :'statement_timeout', :'lock_timeout'  in PostgreSQL's notation
-- Returns:    the values set
-- Reads:      pg_extension
-- Locks:      none
-- Cost:       constant
--
-- pgstattuple is looked up wherever it was installed; what lies in that schema is shown without it.
SELECT
    set_config('default_transaction_read_only', 'on', FALSE),
    set_config('statement_timeout', :'statement_timeout', FALSE),
    set_config('lock_timeout', :'lock_timeout', FALSE),
    set_config('search_path', concat_ws(', ', 'pg_catalog', (
        SELECT quote_ident(n.nspname)
        FROM pg_extension AS e JOIN pg_namespace AS n ON e.extnamespace = n.oid
        WHERE e.extname = 'pgstattuple'
    )), FALSE);
