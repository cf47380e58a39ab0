-- What the planner thinks of reading a table for some columns: the plan of
-- SELECT columns FROM table WHERE each of the compared columns = a value not known yet.
--
-- Parameters: none of its own: it reads the setting etl.probe of this transaction, JSON as in
--             index_text.sql: keys are compared, keys and include are read, states have to hold
-- Returns:    nothing; sets etl.probe_plan for this transaction to the plan, JSON
-- Reads:      nothing: the query is planned and not run; needs SELECT on the columns
-- Locks:      those of a SELECT, for an instant
-- Cost:       constant
--
-- A procedure's own statement cannot be explained with hypothetical indexes, which only a plain
-- EXPLAIN sees. Names are quoted, and there is no value in the text. A DO takes no parameters.
DO $$
DECLARE
    wanted jsonb := current_setting('etl.probe');
    plan text;
BEGIN
    EXECUTE format(
        'EXPLAIN (FORMAT JSON) SELECT %s FROM %I.%I WHERE TRUE %s %s',
        (
            SELECT string_agg(quote_ident(c.name), ', ')
            FROM jsonb_array_elements_text((wanted -> 'keys') || (wanted -> 'include')) AS c (name)
        ),
        wanted ->> 'schema', wanted ->> 'relation',
        (
            SELECT string_agg(format('AND %I = (SELECT CAST(NULL AS %s))', c.name, format_type(a.atttypid, NULL)), ' ')
            FROM jsonb_array_elements_text(wanted -> 'equal') AS c (name)
            JOIN pg_attribute AS a
                ON a.attname = c.name
                AND a.attrelid = format('%I.%I', wanted ->> 'schema', wanted ->> 'relation')::regclass
        ),
        (
            SELECT string_agg(
                CASE s.state ->> 1
                    WHEN 'NOT' THEN format('AND NOT %I', s.state ->> 0)
                    WHEN 'IS NULL' THEN format('AND %I IS NULL', s.state ->> 0)
                    WHEN 'IS NOT NULL' THEN format('AND %I IS NOT NULL', s.state ->> 0)
                    ELSE format('AND %I', s.state ->> 0)
                END, ' '
            )
            FROM jsonb_array_elements(wanted -> 'states') AS s (state)
        )
    ) INTO plan;
    PERFORM set_config('etl.probe_plan', plan, TRUE);
END
$$;
