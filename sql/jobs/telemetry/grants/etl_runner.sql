-- What the role etl_runner may do in schema telemetry: store matches.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA telemetry TO etl_runner;

-- A match is stored once: nothing of it is changed or removed.
GRANT SELECT, INSERT ON telemetry.matches, telemetry.match_players TO etl_runner;
GRANT SELECT ON telemetry.players TO etl_runner;

-- Everybody may call what is new unless that is revoked.
REVOKE EXECUTE ON PROCEDURE telemetry.store FROM public;
GRANT EXECUTE ON PROCEDURE telemetry.store TO etl_runner;
