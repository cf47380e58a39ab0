-- Whether the server runs on the host of its client, as far as it can be told: by a socket
-- of that host, or from the address that it is reached at.
--
-- Parameters: none
-- Returns:    one row, true or false
-- Locks:      none
-- Cost:       constant
SELECT coalesce(inet_client_addr() = inet_server_addr(), TRUE);
