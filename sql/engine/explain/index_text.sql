-- The text of a CREATE INDEX, names quoted where they need it.
--
-- Parameters: :'wanted'  JSON: {"schema": "dwh", "relation": "facts", "keys": ["a", "b"], "include": ["c"],
--                        "states": [["d", "NOT"], ["e", "IS NOT NULL"], ["f", ""]]}; states: the
--                        predicate of a partial index, in which each has to hold
-- Returns:    one row: the command to paste, and the same without CONCURRENTLY, for hypopg
-- Reads:      nothing
-- Locks:      none; the command is not run
-- Cost:       constant
SELECT
    'CREATE INDEX CONCURRENTLY ON ' || t.rest || ';' AS command,
    'CREATE INDEX ON ' || t.rest AS hypothetical
FROM (
    SELECT
        format(
            '%I.%I (%s)%s%s', w.wanted ->> 'schema', w.wanted ->> 'relation',
            (
                SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.place)
                FROM jsonb_array_elements_text(w.wanted -> 'keys') WITH ORDINALITY AS k (name, place)
            ),
            (
                SELECT ' INCLUDE (' || string_agg(quote_ident(k.name), ', ' ORDER BY k.place) || ')'
                FROM jsonb_array_elements_text(w.wanted -> 'include') WITH ORDINALITY AS k (name, place)
            ),
            (
                SELECT
                    ' WHERE ' || string_agg(
                        CASE s.state ->> 1
                            WHEN 'NOT' THEN format('NOT %I', s.state ->> 0)
                            WHEN 'IS NULL' THEN format('%I IS NULL', s.state ->> 0)
                            WHEN 'IS NOT NULL' THEN format('%I IS NOT NULL', s.state ->> 0)
                            ELSE format('%I', s.state ->> 0)
                        END,
                        ' AND ' ORDER BY s.place
                    )
                FROM jsonb_array_elements(w.wanted -> 'states') WITH ORDINALITY AS s (state, place)
            )
        ) AS rest
    FROM (SELECT CAST(:'wanted' AS jsonb) AS wanted) AS w
) AS t;
