-- Settings of every session of etl, whatever the role, the database or PGOPTIONS say:
-- dates and times come back in the form the client reads, and each statement sees what
-- has been committed, as the procedures count on.
--
-- Parameters: none
-- Returns:    one row: the encoding of the database
-- Locks:      none
-- Cost:       constant
SELECT
    current_setting('server_encoding') AS encoding,
    set_config('DateStyle', 'ISO', FALSE) AS date_style,
    set_config('IntervalStyle', 'postgres', FALSE) AS interval_style,
    set_config('TimeZone', 'UTC', FALSE) AS time_zone,
    set_config('default_transaction_isolation', 'read committed', FALSE) AS isolation;
