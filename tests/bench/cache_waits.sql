-- Dashboards that wait instead of computing, as if another server computed them.
--
--   psql -v wait_s=0.05 -f cache_waits.sql
--
-- Parameters: :'wait_s'  seconds that each takes
-- Returns:    nothing
-- Writes:     replaces cache.topic_payload; a setting of this database
-- Locks:      none that anybody waits for
-- Cost:       constant
ALTER DATABASE :"DBNAME" SET bench.wait_s = :'wait_s';

CREATE OR REPLACE FUNCTION cache.topic_payload(
    topic_id integer, dashboard text, as_of date,
    OUT payload jsonb, OUT entries bigint, OUT newest_at timestamptz
)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_sleep(current_setting('bench.wait_s')::double precision);
    payload := jsonb_build_object('topic', topic_id, 'dashboard', dashboard, 'as_of', as_of);
    entries := 0;
END
$$;
