-- What the role etl_reader may do in schema dwh: read it. Dashboards read
-- dwh.datamart_users_today; verify.sql and a dry run read the rest.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     privileges of the objects named
-- Locks:      rows of the catalogue, until the transaction ends
-- Cost:       constant
GRANT USAGE ON SCHEMA dwh TO etl_reader;

GRANT SELECT ON
dwh.facts, dwh.dimension_users, dwh.dimension_countries, dwh.dimension_applications,
dwh.datamart_users, dwh.datamart_users_today
TO etl_reader;
GRANT EXECUTE ON FUNCTION dwh.dirty_users TO etl_reader;
