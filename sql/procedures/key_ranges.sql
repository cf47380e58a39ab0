-- etl.range_key, etl.keys_left: for the prioritization of a job whose items are key ranges.
--
-- Parameters: range_key  kind, first_key, last_key
--             keys_left  job, round (:round), kind, from_key, to_key (:'from_key', :'to_key'),
--                        now (:'now'). Keys are those of bigint but the first and the last
-- Returns:    range_key  the item_key of a range: fee:1..999, or fee:7 for a single key
--             keys_left  the stretches between from_key and to_key that no batch of this round
--                        has done, without those that are held
-- Reads:      keys_left  etl.done_range of this round, etl.held_item of this job
-- Locks:      none
-- Cost:       keys_left  in proportion to the batches done in this round
CREATE OR REPLACE FUNCTION etl.range_key(kind text, first_key bigint, last_key bigint)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT kind || ':' || first_key || CASE WHEN last_key = first_key THEN '' ELSE '..' || last_key END
$$;

-- The range of an item_key; null where it is none of this kind. No backslash: a role may have turned
-- standard_conforming_strings off.
CREATE OR REPLACE FUNCTION etl.range_of(item_key text, kind text)
RETURNS int8range
LANGUAGE sql IMMUTABLE AS $$
    SELECT int8range(CAST(m.found[1] AS bigint), CAST(coalesce(m.found[2], m.found[1]) AS bigint), '[]')
    FROM regexp_match(
        CASE WHEN starts_with(item_key, kind || ':') THEN substr(item_key, length(kind) + 2) END,
        '^(-?[0-9]{1,19})(?:[.][.](-?[0-9]{1,19}))?$'
    ) AS m (found)
    WHERE m.found IS NOT NULL -- int8range of nulls is a range: of all keys
$$;

CREATE OR REPLACE FUNCTION etl.keys_left(
    job text, round integer, kind text, from_key bigint, to_key bigint, now timestamptz
)
RETURNS TABLE (first_key bigint, last_key bigint)
LANGUAGE sql STABLE AS $$
    SELECT lower(s.stretch), upper(s.stretch) - 1
    FROM unnest(
        int8multirange(int8range(from_key, to_key, '[]'))
        - coalesce(
            (
                SELECT range_agg(int8range(d.first_key, d.last_key, '[]'))
                FROM etl.done_range AS d
                WHERE d.round_id = keys_left.round AND d.kind = keys_left.kind
            ),
            '{}'
        )
        - coalesce(
            (
                SELECT range_agg(etl.range_of(h.item_key, keys_left.kind))
                FROM etl.held_item AS h
                WHERE
                    h.job = keys_left.job AND etl.range_of(h.item_key, keys_left.kind) IS NOT NULL
                    AND (h.quarantined_at IS NOT NULL OR h.held_until > keys_left.now)
                    AND from_key < to_key -- somebody asked for one by name: held or not
            ),
            '{}'
        )
    ) AS s (stretch)
    WHERE from_key <= to_key
$$;
