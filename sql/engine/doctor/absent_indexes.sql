-- Those of these indexes that do not exist.
--
-- Parameters: :'names'  their names with their schemas, an array
-- Returns:    the names
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       in proportion to the names
SELECT w.name
FROM unnest(CAST(:'names' AS text[])) WITH ORDINALITY AS w (name, place)
CROSS JOIN LATERAL (SELECT parse_ident(w.name) AS parts) AS p
WHERE
    NOT EXISTS (
        SELECT FROM pg_class AS c
        JOIN pg_namespace AS n ON c.relnamespace = n.oid
        WHERE c.relkind IN ('i', 'I') AND p.parts[1] = n.nspname AND p.parts[2] = c.relname
    )
ORDER BY w.place;
