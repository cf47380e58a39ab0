-- Triggers that mark what a change makes dirty, whoever writes: a loader, a DBA in psql.
--
-- Parameters: the changed rows (transition tables)
-- Returns:    nothing
-- Writes:     cache.mark, one row for each item that a statement concerns
-- Locks:      none that anybody waits for
-- Cost:       one set-based statement for each writing statement, not for each row
--
-- An entry concerns the dashboard of its source, the general one, and its tags. Payloads name
-- only the topic or the tag they are about, so a new name concerns nobody else. New topics and
-- tags need no mark: they have no row. These run with the rights of their owner: whoever writes
-- entries needs no right here.

-- Of entries that go, the tags are marked by the trigger on cache.entry_tags, from which they go too.
CREATE OR REPLACE FUNCTION cache.entries_added_or_removed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cache.mark (item_key)
    SELECT DISTINCT 'topic:' || c.topic_id || '/' || d.dashboard
    FROM concerned AS c CROSS JOIN LATERAL (VALUES (c.source), ('general')) AS d (dashboard);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION cache.entries_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cache.mark (item_key)
    SELECT 'topic:' || c.topic_id || '/' || d.dashboard
    FROM (
        SELECT r.topic_id, r.source FROM removed AS r
        UNION
        SELECT a.topic_id, a.source FROM added AS a
    ) AS c
    CROSS JOIN LATERAL (VALUES (c.source), ('general')) AS d (dashboard)
    UNION
    SELECT 'tag:' || t.tag_id
    FROM (SELECT r.entry_id FROM removed AS r UNION SELECT a.entry_id FROM added AS a) AS c
    JOIN cache.entry_tags AS t ON t.entry_id = c.entry_id;
    RETURN NULL;
END
$$;

-- A dashboard shows the tags of its entries. Where the entry goes too, its own trigger marks it.
CREATE OR REPLACE FUNCTION cache.entry_tags_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cache.mark (item_key)
    SELECT 'tag:' || c.tag_id FROM concerned AS c
    UNION
    SELECT 'topic:' || e.topic_id || '/' || d.dashboard
    FROM concerned AS c
    JOIN cache.entries AS e ON e.entry_id = c.entry_id
    CROSS JOIN LATERAL (VALUES (e.source), ('general')) AS d (dashboard);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION cache.topic_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cache.mark (item_key)
    SELECT 'topic:' || OLD.topic_id || '/' || d.dashboard
    FROM unnest(ARRAY['digital', 'facebook', 'twitter', 'general']) AS d (dashboard);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION cache.tag_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cache.mark (item_key) VALUES ('tag:' || OLD.tag_id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION cache.all_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cache.mark (item_key) SELECT w.item_key FROM cache.warmed AS w;
    RETURN NULL;
END
$$;

-- They are called by triggers only, which need no right.
REVOKE EXECUTE ON FUNCTION
cache.entries_added_or_removed, cache.entries_changed, cache.entry_tags_changed,
cache.topic_changed, cache.tag_changed, cache.all_changed
FROM public;

CREATE OR REPLACE TRIGGER entries_added AFTER INSERT ON cache.entries
REFERENCING NEW TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION cache.entries_added_or_removed();

CREATE OR REPLACE TRIGGER entries_changed AFTER UPDATE ON cache.entries
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION cache.entries_changed();

CREATE OR REPLACE TRIGGER entries_removed AFTER DELETE ON cache.entries
REFERENCING OLD TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION cache.entries_added_or_removed();

CREATE OR REPLACE TRIGGER entries_truncated AFTER TRUNCATE ON cache.entries
FOR EACH STATEMENT EXECUTE FUNCTION cache.all_changed();

CREATE OR REPLACE TRIGGER entry_tags_added AFTER INSERT ON cache.entry_tags
REFERENCING NEW TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION cache.entry_tags_changed();

-- What is changed there is the key, so hardly ever the same item twice.
CREATE OR REPLACE TRIGGER entry_tags_changed AFTER UPDATE ON cache.entry_tags
REFERENCING NEW TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION cache.entry_tags_changed();

CREATE OR REPLACE TRIGGER entry_tags_changed_from AFTER UPDATE ON cache.entry_tags
REFERENCING OLD TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION cache.entry_tags_changed();

CREATE OR REPLACE TRIGGER entry_tags_removed AFTER DELETE ON cache.entry_tags
REFERENCING OLD TABLE AS concerned
FOR EACH STATEMENT EXECUTE FUNCTION cache.entry_tags_changed();

CREATE OR REPLACE TRIGGER entry_tags_truncated AFTER TRUNCATE ON cache.entry_tags
FOR EACH STATEMENT EXECUTE FUNCTION cache.all_changed();

CREATE OR REPLACE TRIGGER topic_changed AFTER UPDATE OR DELETE ON cache.topics
FOR EACH ROW EXECUTE FUNCTION cache.topic_changed();

CREATE OR REPLACE TRIGGER tag_changed AFTER UPDATE OR DELETE ON cache.tags
FOR EACH ROW EXECUTE FUNCTION cache.tag_changed();

CREATE OR REPLACE TRIGGER topics_truncated AFTER TRUNCATE ON cache.topics
FOR EACH STATEMENT EXECUTE FUNCTION cache.all_changed();

CREATE OR REPLACE TRIGGER tags_truncated AFTER TRUNCATE ON cache.tags
FOR EACH STATEMENT EXECUTE FUNCTION cache.all_changed();
