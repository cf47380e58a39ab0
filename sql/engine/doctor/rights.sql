-- What this login may not do, of what the grants files of the engine or of one job name.
--
-- Parameters: :'scope'       the job, or etl
--             :'roles', :'kinds', :'objects', :'privileges', :'columns'
--                            arrays of the same length, a right each: etl_runner or etl_reader;
--                            schema, relation or routine; its name with its schema; the privilege;
--                            the column, or empty for the whole
-- Returns:    severity, what, why, command; one row, or none
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       in proportion to the rights
--
-- What does not exist is left out: that is told by the check of the schema. The command gives a
-- missing right to the role that the file names; where that has it, this login becomes a member;
-- where there are no such roles, the login itself is given the right.
WITH wanted AS (
    SELECT w.*, parse_ident(w.object) AS parts
    FROM unnest(
        CAST(:'roles' AS text[]), CAST(:'kinds' AS text[]), CAST(:'objects' AS text[]),
        CAST(:'privileges' AS text[]), CAST(:'columns' AS text[])
    ) AS w (role, kind, object, privilege, column_name)
),

there AS (
    SELECT w.*, coalesce(n.oid, c.oid, p.oid) AS oid, to_regrole(w.role) AS role_oid
    FROM wanted AS w
    LEFT JOIN pg_namespace AS n ON w.kind = 'schema' AND w.parts[1] = n.nspname
    LEFT JOIN pg_namespace AS s ON w.kind != 'schema' AND w.parts[1] = s.nspname
    LEFT JOIN pg_class AS c ON w.kind = 'relation' AND s.oid = c.relnamespace AND w.parts[2] = c.relname
    LEFT JOIN pg_proc AS p ON w.kind = 'routine' AND s.oid = p.pronamespace AND w.parts[2] = p.proname
    WHERE
        coalesce(n.oid, c.oid, p.oid) IS NOT NULL
        AND (
            w.column_name = '' OR EXISTS (
                SELECT FROM pg_attribute AS a
                WHERE c.oid = a.attrelid AND w.column_name = a.attname AND NOT a.attisdropped
            )
        )
),

grantee AS (
    SELECT t.*, g.who, g.is_mine
    FROM there AS t
    CROSS JOIN
        LATERAL (
            VALUES (CAST(t.role_oid AS oid), FALSE),
            ((SELECT r.oid FROM pg_roles AS r WHERE r.rolname = current_user), TRUE)
        ) AS g (who, is_mine)
    WHERE g.who IS NOT NULL
),

standing AS (
    SELECT
        g.role, g.kind, g.object, g.privilege, g.column_name, g.role_oid, g.is_mine,
        CASE
            WHEN g.kind = 'schema' THEN has_schema_privilege(g.who, g.oid, g.privilege)
            WHEN g.kind = 'routine' THEN has_function_privilege(g.who, g.oid, g.privilege)
            WHEN g.column_name = '' THEN has_table_privilege(g.who, g.oid, g.privilege)
            ELSE has_column_privilege(g.who, g.oid, g.column_name, g.privilege)
        END AS has_it
    FROM grantee AS g
),

-- One row for each right of the files: have I it, has the role.
both_sides AS (
    SELECT
        s.role, s.kind, s.object, s.privilege, s.column_name, s.role_oid,
        bool_and(s.has_it) FILTER (WHERE s.is_mine) AS i_have,
        bool_and(s.has_it) FILTER (WHERE NOT s.is_mine) AS role_has
    FROM standing AS s
    GROUP BY s.role, s.kind, s.object, s.privilege, s.column_name, s.role_oid
),

missing AS (
    SELECT
        b.kind,
        b.object,
        b.privilege || coalesce(' (' || string_agg(nullif(b.column_name, ''), ', ' ORDER BY b.column_name) || ')', '')
            AS right_name,
        bool_and(coalesce(b.role_has, FALSE)) AS role_has,
        CASE WHEN bool_and(b.role_oid IS NULL) THEN current_user ELSE min(b.role) END AS gets_it
    FROM both_sides AS b
    WHERE b.role = 'etl_runner' AND NOT b.i_have
    GROUP BY b.kind, b.object, b.privilege
),

verdict AS (
    SELECT
        bool_and(b.i_have) FILTER (WHERE b.role = 'etl_reader') AS can_read,
        coalesce(bool_or(b.i_have) FILTER (WHERE b.privilege IN ('INSERT', 'UPDATE', 'DELETE')), FALSE) AS can_write
    FROM both_sides AS b
)

SELECT
    CASE WHEN v.can_read AND NOT v.can_write THEN 'note' ELSE 'error' END AS severity,
    format(
        '%s: %s lacks %s of the rights of a runner: %s%s', CAST(:'scope' AS text), current_user, l.number,
        array_to_string(l.names[:5], ', '), CASE WHEN l.number > 5 THEN ', …' ELSE '' END
    ) AS what,
    CASE
        WHEN v.can_read AND NOT v.can_write THEN 'This login can read and ask, but run no cycle'
        ELSE 'A cycle that needs one of them stops'
    END AS why,
    concat_ws(' ', l.grants, CASE
        WHEN r.oid IS NULL OR NOT (l.is_anywhere OR NOT pg_has_role(current_user, r.oid, 'MEMBER')) THEN NULL
        WHEN NOT pg_has_role(current_user, r.oid, 'MEMBER') THEN format('GRANT etl_runner TO %I;', current_user)
        -- A member that inherits nothing.
        WHEN CAST(current_setting('server_version_num') AS integer) < 160000
            THEN format('ALTER ROLE %I INHERIT;', current_user)
        ELSE format('GRANT etl_runner TO %I WITH INHERIT TRUE;', current_user)
    END) AS command
FROM (
    SELECT
        count(*) AS number,
        bool_or(m.role_has) AS is_anywhere,
        array_agg(
            format('%s on %s', m.right_name, m.object) ORDER BY m.kind DESC, m.object ASC, m.right_name ASC
        ) AS names,
        string_agg(
            format(
                'GRANT %s ON %s%s TO %I;', m.right_name,
                CASE m.kind WHEN 'schema' THEN 'SCHEMA ' WHEN 'routine' THEN 'ROUTINE ' ELSE '' END, m.object, m.gets_it
            ), ' ' ORDER BY m.kind DESC, m.object ASC, m.right_name ASC
        ) FILTER (WHERE NOT m.role_has) AS grants
    FROM missing AS m
) AS l
CROSS JOIN verdict AS v
LEFT JOIN pg_roles AS r ON r.rolname = 'etl_runner'
WHERE l.number > 0;
