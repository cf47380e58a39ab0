-- How many crews of a cycle are there, those left out whose connection is gone.
--
-- Parameters: :'cycle_id'
-- Returns:    one row
-- Reads:      etl.crew, pg_stat_activity
-- Locks:      none
-- Cost:       in proportion to the crews
SELECT count(*)
FROM etl.crew AS c
JOIN pg_stat_activity AS a ON c.server_process = a.pid
WHERE
    c.cycle_id = CAST(:'cycle_id' AS bigint) AND c.left_at IS NULL
    AND a.application_name LIKE 'etl:% crew' AND a.backend_start <= c.since;
