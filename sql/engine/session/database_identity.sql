-- Which database this is: the same through every address, another for every other one.
--
-- Parameters: none
-- Returns:    system identifier of the cluster, OID of the database
-- Reads:      pg_control_system, pg_database
-- Locks:      none
-- Cost:       constant
SELECT s.system_identifier, d.oid
FROM pg_control_system() AS s
CROSS JOIN pg_database AS d
WHERE d.datname = current_database();
