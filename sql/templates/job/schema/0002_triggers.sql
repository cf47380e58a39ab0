-- Triggers on source_table that mark what a change makes dirty, whoever writes.
--
-- Parameters: the changed rows (transition tables)
-- Returns:    nothing
-- Writes:     job_schema.mark, one row for each unit_name that a statement concerns
-- Locks:      to make them, SHARE ROW EXCLUSIVE on source_table: waits for its writers,
--             then keeps them waiting for a moment. Afterwards none
-- Cost:       one set-based statement for each writing statement, not for each row
--
-- They run with the rights of the owner of these files: whoever writes source_table needs
-- no new right. Where the results depend on a second table, that one needs such triggers too.
CREATE FUNCTION job_schema.source_added_or_removed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO job_schema.mark (item_key)
    SELECT DISTINCT c.source_key FROM concerned AS c WHERE c.source_key IS NOT NULL;
    RETURN NULL;
END
$$;

-- A row may move from one unit_name to another: both are dirty.
CREATE FUNCTION job_schema.source_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO job_schema.mark (item_key)
    SELECT c.source_key
    FROM (SELECT r.source_key FROM removed AS r UNION SELECT a.source_key FROM added AS a) AS c
    WHERE c.source_key IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE FUNCTION job_schema.source_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO job_schema.mark (item_key) SELECT r.item_key FROM job_schema.result AS r;
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION
job_schema.source_added_or_removed, job_schema.source_changed, job_schema.source_truncated
FROM public;

CREATE TRIGGER job_name_added AFTER INSERT ON source_table
REFERENCING NEW TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION job_schema.source_added_or_removed();

CREATE TRIGGER job_name_changed AFTER UPDATE ON source_table
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION job_schema.source_changed();

CREATE TRIGGER job_name_removed AFTER DELETE ON source_table
REFERENCING OLD TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION job_schema.source_added_or_removed();

CREATE TRIGGER job_name_truncated AFTER TRUNCATE ON source_table
FOR EACH STATEMENT EXECUTE FUNCTION job_schema.source_truncated();
