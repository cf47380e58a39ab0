-- cache.warmed, what readers get; cache.mark, what has changed since; cache.hit, what was read;
-- cache.lifetimes, how long a payload is good at most.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates four tables
-- Locks:      none on existing objects
-- Cost:       constant
--
-- An item is one dashboard of one topic, 'topic:1/digital', or one tag, 'tag:5'.
CREATE TABLE cache.warmed (
    item_key text GENERATED ALWAYS AS (
        CASE kind
            WHEN 'topic' THEN 'topic:' || CAST(key AS text) || '/' || dashboard
            ELSE 'tag:' || CAST(key AS text)
        END
    ) STORED PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('topic', 'tag')),
    key integer NOT NULL,
    dashboard text CHECK (dashboard IN ('digital', 'facebook', 'twitter', 'general')),
    payload jsonb NOT NULL,
    computed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    hits bigint NOT NULL DEFAULT 0,
    as_of date NOT NULL,
    entries bigint NOT NULL,
    newest_at timestamptz,
    CHECK ((kind = 'topic') = (dashboard IS NOT NULL))
) WITH (
    -- Payloads beside the table, also short ones: lists then read few pages, and warming what has
    -- only expired does not write them again.
    toast_tuple_target = 256,
    autovacuum_vacuum_scale_factor = 0.05,
    toast.autovacuum_vacuum_scale_factor = 0.05
);

COMMENT ON TABLE cache.warmed IS
'Cached payloads. Read them by cache.fetch and cache.fetch_tag, which count what is read';
COMMENT ON COLUMN cache.warmed.key IS 'cache.topics.topic_id or cache.tags.tag_id';
COMMENT ON COLUMN cache.warmed.expires_at IS
'From then on it is stale; readers get it all the same until it is replaced';
COMMENT ON COLUMN cache.warmed.hits IS 'Times it was read, but for what waits in cache.hit';
COMMENT ON COLUMN cache.warmed.as_of IS 'The day, UTC, with which its windows of days end';
COMMENT ON COLUMN cache.warmed.entries IS 'How many entries it was computed from';
COMMENT ON COLUMN cache.warmed.newest_at IS 'When the newest of them was published';

-- The two ways to find what time has made stale.
CREATE INDEX warmed_expiring ON cache.warmed (expires_at);
CREATE INDEX warmed_day ON cache.warmed (as_of);

-- One row for each change that is not in the payload yet: its item is dirty. Rows are only
-- added and deleted, so nobody who writes entries waits for anybody here.
CREATE TABLE cache.mark (
    mark_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_key text NOT NULL CHECK (
        item_key ~ '^(topic:[1-9][0-9]{0,8}/(digital|facebook|twitter|general)|tag:[1-9][0-9]{0,8})$'
    ),
    marked_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE INDEX mark_by_item ON cache.mark (item_key, marked_at);

COMMENT ON TABLE cache.mark IS
'Dirty items. To mark one by hand: INSERT its item_key, whether it is marked already or not';

-- What was read since the item was last warmed. Rows are only added and deleted: readers never
-- wait for each other. Unlogged: a counted read writes no log and waits for no disk; a crash of
-- the server loses what was not yet added to cache.warmed.hits, and nothing else.
CREATE UNLOGGED TABLE cache.hit (
    item_key text NOT NULL,
    reads bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE INDEX hit_by_item ON cache.hit (item_key) INCLUDE (reads);

COMMENT ON COLUMN cache.hit.reads IS 'For how many reads the row stands';

CREATE TABLE cache.lifetimes (
    kind text PRIMARY KEY CHECK (kind IN ('topic', 'tag')),
    lifetime interval NOT NULL CHECK (lifetime > '0')
);

COMMENT ON TABLE cache.lifetimes IS
'How long a payload is good at most, whether anything is known to have changed or not';

INSERT INTO cache.lifetimes (kind, lifetime) VALUES ('topic', '1 hour'), ('tag', '6 hours');
