-- Whether this session may see the plans of statements inside a procedure (auto_explain), and whether
-- hypothetical indexes can be tried (hypopg).
--
-- Parameters: none
-- Returns:    one row: is_superuser, who may load the module; may_set, whether it is loaded and
--             this role may set what it needs; role, quoted; database, quoted; hypopg, the quoted schema of
--             the extension or NULL
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
SELECT
    current_setting('is_superuser') = 'on' AS is_superuser,
    (
        SELECT
            bool_and(
                current_setting('auto_explain.' || v.name, TRUE) IS NOT NULL
                AND has_parameter_privilege('auto_explain.' || v.name, 'SET')
            )
        FROM unnest(ARRAY[
            'log_min_duration', 'log_analyze', 'log_buffers', 'log_verbose', 'log_nested_statements', 'log_format',
            'log_level', 'log_timing', 'sample_rate'
        ]) AS v (name)
    ) AS may_set,
    quote_ident(session_user) AS role,
    quote_ident(current_database()) AS database,
    (
        SELECT quote_ident(n.nspname)
        FROM pg_extension AS e
        JOIN pg_namespace AS n ON n.oid = e.extnamespace
        WHERE e.extname = 'hypopg' AND has_schema_privilege(n.oid, 'USAGE')
    ) AS hypopg;
