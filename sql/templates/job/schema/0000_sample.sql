-- source_table: a sample to try the job on. Nothing else depends on these rows.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema and table, with 1,000 rows of 100 unit_names
-- Locks:      none on existing objects
-- Cost:       constant
CREATE SCHEMA IF NOT EXISTS job_schema;

CREATE TABLE source_table (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_key integer NOT NULL,
    amount numeric NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT now()
);

-- The way into the rows of one unit_name.
CREATE INDEX ON source_table (source_key);

INSERT INTO source_table (source_key, amount)
SELECT 1 + n % 100, n FROM generate_series(1, 1000) AS n;
