-- Deletes the attempts of cycles that finished long ago.
--
--   psql -v job=datamart_users -v keep_days=90 -v now=now -f forget_attempts.sql
--
-- Parameters: :'job', :keep_days, :'now'
-- Returns:    nothing
-- Writes:     see procedures/forget_attempts.sql
-- Locks:      see there
-- Cost:       see there
CALL etl.forget_attempts(:'job', :keep_days, :'now');
