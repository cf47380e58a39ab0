-- Timeouts that sessions of this role begin with here.
--
-- Parameters: none
-- Returns:    severity, what, why, command; one row for each
-- Reads:      pg_settings, pg_db_role_setting
-- Locks:      none
-- Cost:       constant
SELECT
    'warning' AS severity,
    format('%s is %s%s for sessions of %s', s.name, s.reset_val, s.unit, session_user)
    || coalesce(': set for ' || o.place, '') AS what,
    'It can end the supervisor''s or a worker''s session or statement; the job has its own limits' AS why,
    coalesce(
        o.mend || format(' RESET %I;', s.name),
        format('ALTER ROLE %I IN DATABASE %I SET %I = 0;', session_user, current_database(), s.name)
    ) AS command
FROM pg_settings AS s
LEFT JOIN LATERAL (
    SELECT
        concat_ws(' in ', 'role ' || CAST(r.rolname AS text), 'database ' || CAST(d.datname AS text)) AS place,
        CASE
            WHEN r.rolname IS NULL THEN format('ALTER DATABASE %I', d.datname)
            WHEN d.datname IS NULL THEN format('ALTER ROLE %I', r.rolname)
            ELSE format('ALTER ROLE %I IN DATABASE %I', r.rolname, d.datname)
        END AS mend
    FROM pg_db_role_setting AS e
    LEFT JOIN pg_roles AS r ON e.setrole = r.oid
    LEFT JOIN pg_database AS d ON e.setdatabase = d.oid
    WHERE
        (r.rolname IS NOT NULL OR d.datname IS NOT NULL)
        AND (e.setrole = 0 OR r.rolname = session_user)
        AND (e.setdatabase = 0 OR d.datname = current_database())
        AND EXISTS (SELECT FROM unnest(e.setconfig) AS c (entry) WHERE starts_with(c.entry, s.name || '='))
    -- The one that counts: of role and database, then of the role, then of the database.
    ORDER BY (e.setrole != 0) DESC, (e.setdatabase != 0) DESC
    LIMIT 1
) AS o ON TRUE
WHERE
    s.name IN (
        'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
        'transaction_timeout'
    )
    AND s.reset_val != '0'
ORDER BY s.name;
