-- What the catalogue and the statistics say of tables: size, age of the statistics, columns, indexes.
--
-- Parameters: :'names'  JSON: [{"schema": "dwh", "relation": "facts"}, …]
-- Returns:    schema, relation, rows (as the planner believes, -1 unknown), changed (rows since the last
--             ANALYZE), written, rewritten (rows inserted; updated or deleted), analyze, vacuum (the
--             commands, which are not run), primary_key, columns and indexes as JSON
-- Reads:      the catalogue; of statistics only those of tables that the role may read
-- Locks:      none
-- Cost:       in proportion to the columns and indexes of these tables
SELECT
    n.nspname AS schema,
    c.relname AS relation,
    c.reltuples AS rows,
    coalesce(s.n_mod_since_analyze, 0) AS changed,
    coalesce(s.n_tup_ins, 0) AS written,
    coalesce(s.n_tup_upd + s.n_tup_del, 0) AS rewritten,
    format('ANALYZE %I.%I;', n.nspname, c.relname) AS "analyze",
    format('VACUUM %I.%I;', n.nspname, c.relname) AS vacuum,
    coalesce(
        (
            SELECT array_agg(CAST(a.attname AS text) ORDER BY k.place)
            FROM pg_index AS i
            CROSS JOIN unnest(CAST(i.indkey AS smallint[])) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
            WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
        ),
        '{}'
    ) AS primary_key,
    (
        -- The distinct values as a number; negative in pg_stats: a share of the rows.
        SELECT
            jsonb_object_agg(
                a.attname,
                jsonb_build_object(
                    'is_short', a.attlen > 0,
                    'distinct',
                    CASE WHEN p.n_distinct < 0 THEN -p.n_distinct * greatest(c.reltuples, 0) ELSE p.n_distinct END
                )
            )
        FROM pg_attribute AS a
        LEFT JOIN pg_stats AS p
            ON p.schemaname = n.nspname AND p.tablename = c.relname AND p.attname = a.attname AND NOT p.inherited
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS columns,
    (
        SELECT
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'name', format('%I.%I', n.nspname, x.relname),
                        'bare_name', x.relname,
                        'is_valid', i.indisvalid,
                        'reindex', format('REINDEX INDEX CONCURRENTLY %I.%I;', n.nspname, x.relname),
                        'predicate', coalesce(pg_get_expr(i.indpred, c.oid), ''),
                        'keys',
                        (
                            SELECT jsonb_agg(a.attname ORDER BY k.place)
                            FROM unnest(CAST(i.indkey AS smallint[])) WITH ORDINALITY AS k (number, place)
                            LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
                            WHERE k.place <= i.indnkeyatts
                        )
                    )
                    ORDER BY x.relname
                ),
                '[]'
            )
        FROM pg_index AS i
        JOIN pg_class AS x ON x.oid = i.indexrelid
        WHERE i.indrelid = c.oid
    ) AS indexes
FROM jsonb_to_recordset(CAST(:'names' AS jsonb)) AS o (schema text, relation text)
JOIN pg_namespace AS n ON n.nspname = o.schema
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = o.relation
LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid;
