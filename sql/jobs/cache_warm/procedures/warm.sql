-- cache.warm(item_key, as_of, clear): computes one payload, or removes it, in the caller's
-- transaction.
--
-- Parameters: item_key  'topic:1/digital' or 'tag:5'
--             as_of     the day that counts as today, UTC
--             clear     whether it is removed; so it is where its topic is not active, or it or
--                       its tag is gone
-- Returns:    nothing. Errors: P0002 no such topic or tag; 22023 no key at all; 55P03 another
--             session warms the item; any other is the payload's, with the topic's name
-- Reads:      see payloads.sql
-- Writes:     one row of cache.warmed; deletes the item's rows of cache.mark and cache.hit
-- Locks:      an advisory lock on (cache.warmed, item) throughout: one warming of an item at a
--             time. Nobody else waits: entries are only read, readers see the old row until
--             the commit, then the new one
-- Cost:       the payload's, and some looks by key. Idempotent
--
-- No update is lost. First the marks go, then the entries are read, each by a statement of its
-- own that sees what was committed before it began. A change that commits in between leaves its
-- mark, whether it was read or not. Keep this order.
--
-- A payload that has expired is computed anew, never just extended: its windows move with the
-- day, and the lifetime is there for what no trigger saw, which an extension would never see
-- either. What turns out the same is not written again: only the times are, the payload beside
-- the table stays where it is.
CREATE OR REPLACE PROCEDURE cache.warm(
    item_key text, as_of date DEFAULT (now() AT TIME ZONE 'UTC')::date, clear boolean DEFAULT FALSE
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    parts constant text[] := regexp_match(
        item_key,
        '^(?:(topic):([1-9][0-9]{0,8})/(digital|facebook|twitter|general)|(tag):([1-9][0-9]{0,8}))$'
    );
    item constant text := item_key;
    item_kind constant text := coalesce(parts[1], parts[4]);
    item_id constant integer := coalesce(parts[2], parts[5]);
    item_dashboard constant text := parts[3];
    label text;
    is_wanted boolean;
    was_there boolean;
    was_read bigint;
    fresh record;
    said text;
    detail text;
    hint text;
BEGIN
    IF parts IS NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('there is no item %L', left(item_key, 100)),
            HINT = 'An item is topic:1/digital (facebook, twitter, general) or tag:5.';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtextextended(item, 'cache.warmed'::regclass::oid::bigint)) THEN
        RAISE lock_not_available USING MESSAGE = format('%s is being warmed by another session', item);
    END IF;

    DELETE FROM cache.mark AS m WHERE m.item_key = item;
    was_there := FOUND;

    IF item_kind = 'topic' THEN
        SELECT t.name, t.is_active INTO label, is_wanted
        FROM cache.topics AS t WHERE t.topic_id = item_id;
    ELSE
        SELECT t.name, TRUE INTO label, is_wanted FROM cache.tags AS t WHERE t.tag_id = item_id;
    END IF;

    IF clear OR is_wanted IS NOT TRUE THEN
        DELETE FROM cache.warmed AS w WHERE w.item_key = item RETURNING w.hits INTO was_read;
        IF NOT FOUND AND NOT was_there AND NOT clear THEN
            RAISE no_data_found USING MESSAGE = CASE
                WHEN label IS NULL THEN format('no %s has the id %s', item_kind, item_id)
                ELSE format('topic %s (%s) is not active', item_id, label)
            END;
        END IF;
        -- How often it was read decides when it is warmed again; and it is missing from now on.
        IF label IS NULL THEN
            DELETE FROM cache.hit AS h WHERE h.item_key = item;
        ELSIF was_read > 0 THEN
            INSERT INTO cache.hit (item_key, reads) VALUES (item, was_read);
        END IF;
        IF is_wanted THEN
            INSERT INTO cache.mark (item_key) VALUES (item);
        END IF;
        RETURN;
    END IF;

    BEGIN
        IF item_kind = 'topic' THEN
            SELECT * INTO fresh FROM cache.topic_payload(item_id, item_dashboard, as_of);
        ELSE
            SELECT * INTO fresh FROM cache.tag_payload(item_id, as_of);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        -- The same error, of which people know what it is about.
        GET STACKED DIAGNOSTICS
            said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RAISE EXCEPTION USING
            ERRCODE = SQLSTATE, DETAIL = detail, HINT = hint,
            MESSAGE = format('%s %s (%s): %s', item_kind, item_id, label, said);
    END;

    WITH counted AS (DELETE FROM cache.hit AS h WHERE h.item_key = item RETURNING h.reads)

    SELECT coalesce(sum(c.reads), 0) INTO was_read FROM counted AS c;

    INSERT INTO cache.warmed AS w (
        kind, key, dashboard, payload, computed_at, expires_at, hits, as_of, entries, newest_at
    )
    VALUES (
        item_kind, item_id, item_dashboard, fresh.payload, now(),
        now() + (SELECT l.lifetime FROM cache.lifetimes AS l WHERE l.kind = item_kind),
        was_read, as_of, fresh.entries, fresh.newest_at
    )
    ON CONFLICT (item_key) DO UPDATE SET
        payload = CASE
            WHEN w.payload = excluded.payload THEN w.payload
            ELSE excluded.payload
        END,
        computed_at = excluded.computed_at,
        expires_at = excluded.expires_at,
        hits = w.hits + excluded.hits,
        as_of = excluded.as_of,
        entries = excluded.entries,
        newest_at = excluded.newest_at;
END
$$;
