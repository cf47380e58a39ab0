-- Who owns what `etl init` makes here, and what this login may do about it.
--
-- Parameters: none
-- Returns:    owner        role that owns schema etl; where there is none yet, etl_owner if
--                          this login may act as it, else the current role
--             has_schema   whether schema etl exists
--             is_current   whether the current role is that one
--             may_become   whether this login may act as it
--             may_create   whether the owner may create schemas in this database
--             missing      those of the roles etl_owner, etl_runner, etl_reader that do not
--                          exist
--             is_read_only whether nothing can be written here
--             login, dbname
-- Reads:      the catalogue
-- Locks:      none
-- Cost:       constant
--
-- A member may act as a role; from PostgreSQL 16 on only with the option SET.
WITH right_to_act AS (
    SELECT CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END AS name
),

schema AS (SELECT n.nspowner AS owner FROM pg_namespace AS n WHERE n.nspname = 'etl'),

designated AS (
    SELECT r.oid AS owner
    FROM pg_roles AS r
    CROSS JOIN right_to_act AS t
    WHERE r.rolname = 'etl_owner' AND pg_has_role(session_user, r.oid, t.name)
)

SELECT
    r.rolname AS owner,
    (SELECT s.owner FROM schema AS s) IS NOT NULL AS has_schema,
    r.rolname = current_user AS is_current,
    pg_has_role(session_user, r.oid, t.name) AS may_become,
    has_database_privilege(r.oid, current_database(), 'CREATE') AS may_create,
    (
        SELECT coalesce(array_agg(e.name ORDER BY e.place), '{}')
        FROM unnest(ARRAY['etl_owner', 'etl_runner', 'etl_reader']) WITH ORDINALITY AS e (name, place)
        WHERE NOT EXISTS (SELECT FROM pg_roles AS x WHERE x.rolname = e.name)
    ) AS missing,
    current_setting('transaction_read_only') = 'on' AS is_read_only,
    session_user AS login,
    current_database() AS dbname
FROM pg_roles AS r
CROSS JOIN right_to_act AS t
WHERE
    r.oid = coalesce(
        (SELECT s.owner FROM schema AS s),
        (SELECT d.owner FROM designated AS d),
        (SELECT c.oid FROM pg_roles AS c WHERE c.rolname = current_user)
    );
