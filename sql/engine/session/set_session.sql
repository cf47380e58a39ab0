-- Settings of every session of etl, whatever the role, the database or PGOPTIONS say:
-- dates and times come back in the form the client reads, each statement sees what has
-- been committed, as the procedures count on, and a client that vanished without closing
-- its connection is noticed within a minute, so that its locks and its running statement
-- end with it. The kernel's default would be two hours.
--
-- Nothing is set where another server process answers than the one that the client was
-- connected to: then a connection pooler stands in between, and the session may be
-- somebody else's a moment later.
--
-- Parameters: :'backend_pid'  process id that the client knows its server process by;
--                             0: set them in any case, but nothing about the network
-- Returns:    one row: the encoding of the database, the id of the server process, and
--             the values set, or NULL
-- Locks:      none
-- Cost:       constant
SELECT
    current_setting('server_encoding') AS encoding,
    pg_backend_pid() AS server_process,
    CASE WHEN session.is_own THEN set_config('DateStyle', 'ISO', FALSE) END AS date_style,
    CASE WHEN session.is_own THEN set_config('IntervalStyle', 'postgres', FALSE) END AS interval_style,
    CASE WHEN session.is_own THEN set_config('TimeZone', 'UTC', FALSE) END AS time_zone,
    CASE
        WHEN session.is_own THEN set_config('default_transaction_isolation', 'read committed', FALSE)
    END AS isolation,
    CASE WHEN session.is_over_tcp THEN set_config('tcp_keepalives_idle', '20', FALSE) END AS idle,
    CASE WHEN session.is_over_tcp THEN set_config('tcp_keepalives_interval', '10', FALSE) END AS interval_s,
    CASE WHEN session.is_over_tcp THEN set_config('tcp_keepalives_count', '3', FALSE) END AS count,
    -- Elsewhere the server refuses the next two, or has to say that it cannot.
    CASE
        WHEN session.is_over_tcp AND session.is_on_linux THEN set_config('tcp_user_timeout', '50000', FALSE)
    END AS user_timeout,
    CASE
        WHEN session.is_direct AND session.is_on_linux
            THEN set_config('client_connection_check_interval', '10s', FALSE)
    END AS check_interval
FROM
    (
        SELECT
            CAST(:'backend_pid' AS integer) IN (0, pg_backend_pid()) AS is_own,
            CAST(:'backend_pid' AS integer) = pg_backend_pid() AS is_direct,
            CAST(:'backend_pid' AS integer) = pg_backend_pid() AND inet_client_addr() IS NOT NULL AS is_over_tcp,
            version() LIKE '%linux%' AS is_on_linux
    ) AS session;
