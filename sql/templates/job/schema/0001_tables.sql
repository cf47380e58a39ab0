-- job_schema.mark, which says what is dirty, and job_schema.result, one row a unit_name.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema and tables
-- Locks:      none that anybody waits for
-- Cost:       constant
--
-- This file is applied once. What you want otherwise later comes into a new file with
-- the next number: ALTER TABLE job_schema.result ADD COLUMN …
CREATE SCHEMA IF NOT EXISTS job_schema;

-- One row for each change that is not in the result yet: its unit_name is dirty. Rows are
-- only added and deleted, so nobody who writes source_table waits for anybody here.
-- Made from the source, so that the key has its type.
CREATE TABLE job_schema.mark AS SELECT s.source_key AS item_key FROM source_table AS s WITH NO DATA;

ALTER TABLE job_schema.mark
ALTER COLUMN item_key SET NOT NULL,
ADD COLUMN mark_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
ADD COLUMN marked_at timestamptz NOT NULL DEFAULT now();

CREATE INDEX ON job_schema.mark (item_key, marked_at);

COMMENT ON TABLE job_schema.mark IS
'Dirty items. To mark one by hand: INSERT its item_key, whether it is marked already or not';

-- What the job computes. Put your own columns here before the first `etl init`.
CREATE TABLE job_schema.result AS SELECT s.source_key AS item_key FROM source_table AS s WITH NO DATA;

ALTER TABLE job_schema.result
ADD PRIMARY KEY (item_key),
ADD COLUMN source_rows bigint NOT NULL,
ADD COLUMN refreshed_at timestamptz NOT NULL;
