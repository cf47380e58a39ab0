-- From the next statement on until the transaction ends, each plan comes as a notice in JSON.
--
-- Parameters: none
-- Returns:    the values set
-- Writes:     nothing: the log of the server is told only where it wants notices
-- Locks:      none
-- Cost:       constant; the statements then measure each step, which makes them slower
--
-- log_min_duration last: before it nothing is told, this statement neither.
SELECT
    set_config('client_min_messages', 'notice', TRUE),
    set_config('auto_explain.log_nested_statements', 'on', TRUE),
    set_config('auto_explain.log_analyze', 'on', TRUE),
    set_config('auto_explain.log_buffers', 'on', TRUE),
    set_config('auto_explain.log_verbose', 'on', TRUE),
    set_config('auto_explain.log_timing', 'on', TRUE),
    set_config('auto_explain.log_format', 'json', TRUE),
    set_config('auto_explain.log_level', 'notice', TRUE),
    set_config('auto_explain.sample_rate', '1', TRUE),
    set_config('auto_explain.log_min_duration', '0', TRUE);
