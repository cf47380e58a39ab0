-- How many crews of a cycle are there, those left out whose connection is gone, and those that have
-- not checked in for too long: their processes stand still.
--
-- Parameters: :'cycle_id'
--             :'silence_s'  a crew that has not checked in for so long is not waited for, seconds
-- Returns:    one row
-- Reads:      etl.crew, pg_stat_activity
-- Locks:      none
-- Cost:       in proportion to the crews
SELECT count(*)
FROM etl.crew AS c
JOIN pg_stat_activity AS a ON c.server_process = a.pid
WHERE
    c.cycle_id = CAST(:'cycle_id' AS bigint) AND c.left_at IS NULL
    AND c.since > clock_timestamp() - make_interval(secs => CAST(:'silence_s' AS double precision))
    AND a.application_name LIKE 'etl:% crew';
