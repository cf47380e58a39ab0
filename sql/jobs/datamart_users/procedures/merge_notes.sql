-- dwh.stage_notes() and dwh.merge_notes(): how notes get into the star schema.
--
--   BEGIN;
--   CALL dwh.stage_notes();
--   \copy pg_temp.staged_notes FROM … (or any INSERT)
--   CALL dwh.merge_notes(NULL, NULL, NULL, NULL, NULL, NULL);
--   COMMIT;
--
-- Parameters: none
-- Returns:    merge_notes: what was new, one row; see its OUT parameters
-- Reads:      pg_temp.staged_notes
-- Writes:     dwh.facts and its dimensions; through the triggers on dwh.facts the
--             dirty marks and activity of every user concerned
-- Locks:      an advisory lock on dwh.facts until the commit: one merge at a time.
--             See also analyze_users.sql
-- Cost:       set-based; 8 us of server CPU a new fact, half of them for its row and index
--             entries, 1.7 us a known one. Idempotent: what is known already is not inserted
--             again and dirties nobody

CREATE OR REPLACE PROCEDURE dwh.stage_notes()
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMPORARY TABLE staged_notes (
        note_id bigint NOT NULL,
        country_name text NOT NULL,
        opened_at timestamp NOT NULL,
        closed_at timestamp,
        opened_by text,
        closed_by text,
        application_name text
    ) ON COMMIT DROP;
END
$$;

CREATE OR REPLACE PROCEDURE dwh.merge_notes(
    OUT new_opened bigint,
    OUT new_closed bigint,
    OUT new_anonymous bigint,
    OUT new_users bigint,
    OUT users_staged bigint,
    OUT users_dirtied bigint
)
LANGUAGE plpgsql
-- Sorts and hashes of some 100,000 notes stay in memory: on the default of 4 MB each of them
-- goes through temporary files.
SET work_mem = '64MB'
-- Compiling the one large statement below costs more than it saves.
SET jit = off
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock('dwh.facts'::regclass::oid::bigint);
    ANALYZE pg_temp.staged_notes (note_id, closed_at);

    -- Whoever writes past this procedure may add the same name or fact meanwhile; then
    -- everything is looked up anew. With ON CONFLICT instead, which looks before each row,
    -- inserting 629,620 facts took 3.8 s, without 2.8.
    FOR attempt IN 1..3 LOOP
        BEGIN
            INSERT INTO dwh.dimension_countries (country_name)
            SELECT s.country_name
            FROM (SELECT DISTINCT n.country_name FROM pg_temp.staged_notes AS n) AS s
            WHERE NOT EXISTS (
                SELECT FROM dwh.dimension_countries AS c WHERE c.country_name = s.country_name
            )
            ORDER BY s.country_name;

            INSERT INTO dwh.dimension_applications (application_name)
            SELECT s.application_name
            FROM (SELECT DISTINCT n.application_name FROM pg_temp.staged_notes AS n) AS s
            WHERE s.application_name IS NOT NULL AND NOT EXISTS (
                SELECT FROM dwh.dimension_applications AS a
                WHERE a.application_name = s.application_name
            )
            ORDER BY s.application_name;

            CREATE TEMPORARY TABLE staged_users ON COMMIT DROP AS
            SELECT s.opened_by AS username FROM pg_temp.staged_notes AS s
            WHERE s.opened_by IS NOT NULL
            UNION
            SELECT s.closed_by FROM pg_temp.staged_notes AS s WHERE s.closed_by IS NOT NULL;
            GET DIAGNOSTICS users_staged = ROW_COUNT;

            INSERT INTO dwh.dimension_users (username)
            SELECT s.username FROM pg_temp.staged_users AS s
            WHERE NOT EXISTS (
                SELECT FROM dwh.dimension_users AS u WHERE u.username = s.username
            )
            ORDER BY s.username;
            GET DIAGNOSTICS new_users = ROW_COUNT;
            CALL dwh.analyze_users();

            -- One statement for all facts, so that the trigger on dwh.facts touches each
            -- user once. A note that is known keeps the opening that it has: its closings
            -- take opener and time of opening from there, whatever this file says.
            WITH note AS MATERIALIZED (
                SELECT
                    s.note_id, o.note_id IS NULL AS is_new,
                    coalesce(o.action_at, s.opened_at) AS opened_at,
                    CASE
                        WHEN o.note_id IS NULL THEN u.dimension_user_id
                        ELSE o.action_dimension_id_user
                    END AS opener_id,
                    coalesce(o.dimension_id_country, c.dimension_country_id) AS country_id,
                    CASE
                        WHEN o.note_id IS NULL THEN a.dimension_application_id
                        ELSE o.dimension_id_application
                    END AS application_id
                FROM (
                    SELECT DISTINCT ON (n.note_id)
                        n.note_id, n.opened_at, n.opened_by, n.country_name, n.application_name
                    FROM pg_temp.staged_notes AS n ORDER BY n.note_id, n.opened_at
                ) AS s
                LEFT JOIN dwh.facts AS o ON o.note_id = s.note_id AND o.action = 'opened'
                LEFT JOIN dwh.dimension_countries AS c ON c.country_name = s.country_name
                LEFT JOIN dwh.dimension_users AS u ON u.username = s.opened_by
                LEFT JOIN dwh.dimension_applications AS a
                    ON a.application_name = s.application_name
            ),

            added AS (
                INSERT INTO dwh.facts (
                    note_id, action, action_at, action_dimension_id_user,
                    opened_dimension_id_user, dimension_id_country, dimension_id_application,
                    days_to_resolution
                )
                SELECT
                    n.note_id, 'opened'::dwh.note_action, n.opened_at, n.opener_id,
                    n.opener_id, n.country_id, n.application_id, NULL
                FROM note AS n WHERE n.is_new
                UNION ALL
                SELECT
                    s.note_id, 'closed', s.closed_at, u.dimension_user_id,
                    n.opener_id, n.country_id, n.application_id,
                    -- Not below 0: two files may give the same note different openings.
                    greatest(0, date_part('day', s.closed_at - n.opened_at))::integer
                FROM (
                    SELECT DISTINCT ON (c.note_id, c.closed_at)
                        c.note_id, c.closed_at, c.closed_by
                    FROM pg_temp.staged_notes AS c
                    WHERE c.closed_at IS NOT NULL
                    ORDER BY c.note_id, c.closed_at, c.closed_by
                ) AS s
                JOIN note AS n ON n.note_id = s.note_id
                LEFT JOIN dwh.dimension_users AS u ON u.username = s.closed_by
                WHERE NOT EXISTS (
                    SELECT FROM dwh.facts AS f
                    WHERE f.note_id = s.note_id AND f.action = 'closed'
                        AND f.action_at = s.closed_at
                )
                RETURNING action, action_dimension_id_user AS user_id
            )

            SELECT
                count(*) FILTER (WHERE action = 'opened'),
                count(*) FILTER (WHERE action = 'closed'),
                count(*) FILTER (WHERE user_id IS NULL)
            INTO new_opened, new_closed, new_anonymous FROM added;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF attempt = 3 THEN
                RAISE;
            END IF;
        END;
    END LOOP;

    -- The rows that were written with the table of names: users, new or marked by a trigger.
    SELECT count(*) INTO users_dirtied
    FROM dwh.dimension_users AS u
    WHERE u.modified AND u.xmin = (SELECT s.xmin FROM pg_temp.staged_users AS s LIMIT 1);
END
$$;
