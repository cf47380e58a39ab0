-- A digest of all privileges in this database: another one where any was changed.
--
-- Parameters: none
-- Returns:    one row
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       in proportion to the tables, columns and procedures of the database
SELECT encode(sha256(convert_to(string_agg(p.entry, ' ' ORDER BY p.entry), 'UTF8')), 'hex') AS digest
FROM (
    SELECT format('schema %s %s', n.oid, n.nspacl) AS entry FROM pg_namespace AS n
    WHERE n.nspacl IS NOT NULL
    UNION ALL
    SELECT format('relation %s %s', c.oid, c.relacl) FROM pg_class AS c
    WHERE c.relacl IS NOT NULL
    UNION ALL
    SELECT format('column %s.%s %s', a.attrelid, a.attnum, a.attacl) FROM pg_attribute AS a
    WHERE a.attacl IS NOT NULL
    UNION ALL
    SELECT format('routine %s %s', r.oid, r.proacl) FROM pg_proc AS r
    WHERE r.proacl IS NOT NULL
    UNION ALL
    SELECT format('type %s %s', t.oid, t.typacl) FROM pg_type AS t
    WHERE t.typacl IS NOT NULL
    UNION ALL
    SELECT format('default %s %s', d.oid, d.defaclacl) FROM pg_default_acl AS d
) AS p;
