-- Sample entries about 73 topics, with 50 tags, of the 40 days up to as_of. The same numbers
-- give the same entries.
--
--   psql -1 -v scale=20000 -v as_of=2026-01-16 -f sample.sql
--
-- Parameters: :scale    number of entries
--             :'as_of'  the last day with entries
-- Returns:    nothing of interest
-- Writes:     cache.topics, cache.tags, cache.entries, cache.entry_tags; through their
--             triggers cache.mark
-- Locks:      none that anybody waits for
-- Cost:       about 50 us an entry; run it in one transaction
--
-- Ids of entries are negative and names begin with Sample, so that real ones never meet them.
INSERT INTO cache.topics (name)
SELECT format('Sample topic %s', lpad(CAST(n AS text), 2, '0'))
FROM generate_series(1, 73) AS n
ON CONFLICT (name) DO NOTHING;

INSERT INTO cache.tags (name)
SELECT format('Sample tag %s', lpad(CAST(n AS text), 2, '0'))
FROM generate_series(1, 50) AS n
ON CONFLICT (name) DO NOTHING;

SELECT setseed(0.42);

-- The first topics have most entries; half of all came in the last 10 of the 40 days.
INSERT INTO cache.entries (
    entry_id, topic_id, source, published_at, reach, interactions, sentiment
)
SELECT
    -n.number, t.topic_id,
    (ARRAY['digital', 'facebook', 'twitter', 'twitter'])[1 + CAST(floor(4 * n.place) AS integer)],
    CAST(CAST(:'as_of' AS date) + 1 AS timestamp) AT TIME ZONE 'UTC'
    - interval '1 second' * ceil(40 * 86400 * n.moment ^ 2),
    CAST(100 * n.volume ^ 2 * 50 AS bigint),
    CAST(100 * n.volume ^ 3 AS bigint),
    CAST(floor(3 * n.mood) - 1 AS smallint)
FROM (
    SELECT
        i AS number, 1 + CAST(floor(73 * random() ^ 1.5) AS integer) AS topic, random() AS place,
        random() AS moment, 1 / (0.02 + random()) AS volume, random() AS mood
    FROM generate_series(1, CAST(:scale AS bigint)) AS i
) AS n
JOIN cache.topics AS t ON t.name = format('Sample topic %s', lpad(CAST(n.topic AS text), 2, '0'))
ON CONFLICT (entry_id) DO NOTHING;

-- Every entry has up to two tags.
INSERT INTO cache.entry_tags (entry_id, tag_id)
SELECT DISTINCT e.entry_id, g.tag_id
FROM cache.entries AS e
CROSS JOIN generate_series(0, 1) AS k
JOIN
    cache.tags AS g
    ON
        g.name = format(
            'Sample tag %s',
            lpad(CAST(1 + (hashint8extended(e.entry_id, k) & 1048575) % 60 AS text), 2, '0')
        )
WHERE e.entry_id < 0
ON CONFLICT (entry_id, tag_id) DO NOTHING;
