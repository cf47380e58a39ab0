-- What the role etl_reader may do in schema telemetry: read.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA telemetry TO etl_reader;
GRANT SELECT ON telemetry.matches, telemetry.match_players, telemetry.players TO etl_reader;
