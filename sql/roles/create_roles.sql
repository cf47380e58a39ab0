-- Makes the three group roles of etl and gives them their rights on the current database.
--
--   psql -d warehouse -f create_roles.sql        or: etl init --with-roles
--
-- Run it in each database that etl works in, as a superuser, or as the owner of the
-- database who also has CREATEROLE. Idempotent: what exists already is left as it is.
--
-- Parameters: none
-- Returns:    nothing. Error 42501 where this role may not do that; then nothing is done
-- Writes:     pg_authid, pg_auth_members, the privileges of the current database
-- Locks:      the rows written
-- Cost:       constant
--
-- etl_owner   owns what `etl init` makes. Nobody logs in as it: `etl init` acts as it,
--             whoever of its members runs it, so that everything has one owner.
-- etl_runner  runs cycles, loads notes, verifies, releases held items.
-- etl_reader  reads.
--
-- Rights on tables and procedures are in the folders grants/; `etl init` gives them.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['etl_owner', 'etl_runner', 'etl_reader'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION
            -- Another database of this cluster made it at the same moment.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;

    -- CONNECT and TEMPORARY by name: PUBLIC has them only until somebody revokes them.
    -- A load stages its rows in a temporary table; CREATE is for new schemas.
    EXECUTE format('GRANT CONNECT, TEMPORARY, CREATE ON DATABASE %I TO etl_owner', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO etl_runner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO etl_reader', current_database());

    -- Who may not grant on the database gets a mere warning so far.
    IF NOT has_database_privilege('etl_owner', current_database(), 'CREATE') THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('%I may not let etl_owner create schemas in database %I', current_user, current_database()),
            HINT = 'Connect as the owner of the database, or as a superuser.';
    END IF;

    -- From PostgreSQL 16 on, whoever makes a role may administer it, but not act as it
    -- unless that is granted too.
    IF NOT pg_has_role(
        current_user, 'etl_owner',
        CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END
    ) THEN
        EXECUTE format('GRANT etl_owner TO %I', current_user);
    END IF;
END
$$;
