-- cache.fetch(topic, dashboard) and cache.fetch_tag(tag): the payload, for those who show it.
--
-- Parameters: topic, dashboard, or tag: by id
-- Returns:    the payload, also a stale one; null only where none has been computed yet
-- Reads:      one row of cache.warmed, by its key
-- Writes:     now and then a row of cache.hit
-- Locks:      none that anybody waits for
-- Cost:       a look by key; a counted read adds a row without a log, in the same round trip
--
-- How reads are counted. An item read less than 2,000 times so far counts each of them; with
-- 1,000 n reads one in n is counted, by lot, for n. So hits is exact at first, and off by some
-- 3 % (one standard deviation) from then on, and however often an item is read, an hour adds
-- about 1,000 rows at most once it has been read for an hour. Enough for an order; do not bill
-- by it. Not counted: reads of a read-only transaction or on a standby, of a transaction that is
-- rolled back, and what a crash of the server loses before the item is warmed again.
--
-- It runs with the rights of its owner: readers need none on the tables.
CREATE OR REPLACE FUNCTION cache.fetch_item(item_key text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_payload jsonb;
    each bigint;
BEGIN
    SELECT w.payload, greatest(w.hits / 1000, 1) INTO found_payload, each
    FROM cache.warmed AS w WHERE w.item_key = fetch_item.item_key;
    IF each = 1 OR random() * each < 1 THEN
        IF current_setting('transaction_read_only') = 'off' THEN
            INSERT INTO cache.hit (item_key, reads) VALUES (fetch_item.item_key, each);
        END IF;
    END IF;
    RETURN found_payload;
END
$$;

CREATE OR REPLACE FUNCTION cache.fetch(topic integer, dashboard text)
RETURNS jsonb
LANGUAGE sql VOLATILE AS $$
    SELECT cache.fetch_item('topic:' || topic || '/' || dashboard)
$$;

CREATE OR REPLACE FUNCTION cache.fetch_tag(tag integer)
RETURNS jsonb
LANGUAGE sql VOLATILE AS $$
    SELECT cache.fetch_item('tag:' || tag)
$$;
