-- Whether somebody has paused a job.
--
-- Parameters: :'job', :'now'
-- Returns:    one row, true or false
-- Reads:      etl.control
-- Locks:      none
-- Cost:       constant
SELECT count(*) > 0
FROM etl.control AS p
WHERE p.job = :'job' AND p.paused_until > CAST(:'now' AS timestamptz);
