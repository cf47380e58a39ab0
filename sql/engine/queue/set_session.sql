-- Settings of a session whose open transaction is a claim: where nothing is heard of its client any
-- more, because the host is down or cut off, the server ends it, and the item is free again.
--
-- Parameters: :'silence_s'    nothing heard of the client for so long, seconds
--             :'longest_s'    a transaction takes no longer, whatever its statements may, seconds
-- Returns:    one row, the values set; NULL where this server has no such setting
-- Locks:      none
-- Cost:       constant
--
-- Between two statements the keepalives and idle_in_transaction_session_timeout end it; while one
-- runs, the keepalives, whose verdict client_connection_check_interval looks for; while an answer
-- is not taken, tcp_user_timeout.
SELECT
    CASE WHEN s.is_over_tcp THEN set_config('tcp_keepalives_idle', s.third_s, FALSE) END AS idle,
    CASE WHEN s.is_over_tcp THEN set_config('tcp_keepalives_interval', s.third_s, FALSE) END AS interval_s,
    CASE WHEN s.is_over_tcp THEN set_config('tcp_keepalives_count', '2', FALSE) END AS count,
    CASE
        WHEN s.is_over_tcp AND s.is_on_linux THEN set_config('tcp_user_timeout', s.silence_ms, FALSE)
    END AS user_timeout,
    CASE
        WHEN s.is_on_linux THEN set_config('client_connection_check_interval', s.third_s || 's', FALSE)
    END AS check_interval,
    set_config('idle_in_transaction_session_timeout', s.silence_ms, FALSE) AS idle_in_transaction,
    CASE
        WHEN s.version >= 170000 THEN set_config('transaction_timeout', s.longest_ms, FALSE)
    END AS transaction_timeout
FROM
    (
        SELECT
            CAST(CAST(CAST(:'silence_s' AS double precision) * 1000 AS bigint) AS text) AS silence_ms,
            CAST(CAST(CAST(:'longest_s' AS double precision) * 1000 AS bigint) AS text) AS longest_ms,
            CAST(greatest(1, round(CAST(:'silence_s' AS numeric) / 3)) AS text) AS third_s,
            CAST(current_setting('server_version_num') AS integer) AS version,
            inet_client_addr() IS NOT NULL AS is_over_tcp,
            version() LIKE '%linux%' AS is_on_linux
    ) AS s;
