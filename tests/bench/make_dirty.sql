-- Makes everybody dirty, and the tables and the log as at the beginning of each run.
--
--   psql -f make_dirty.sql
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     dwh.dimension_users
-- Locks:      those of UPDATE and VACUUM
-- Cost:       in proportion to the users
UPDATE dwh.dimension_users SET modified = TRUE WHERE NOT modified;

VACUUM dwh.dimension_users, dwh.datamart_users;

CHECKPOINT;
