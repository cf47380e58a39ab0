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
-- Cost:       set-based; 17 us a new fact, 6 us a known one, reading the file
--             included. Idempotent:
--             what is known already is not inserted again and dirties nobody

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
LANGUAGE plpgsql AS $$
DECLARE
    anonymous_opened bigint;
    anonymous_closed bigint;
BEGIN
    PERFORM pg_advisory_xact_lock('dwh.facts'::regclass::oid::bigint);
    ANALYZE pg_temp.staged_notes;

    INSERT INTO dwh.dimension_countries (country_name)
    SELECT DISTINCT s.country_name FROM pg_temp.staged_notes AS s
    WHERE NOT EXISTS (
        SELECT FROM dwh.dimension_countries AS c WHERE c.country_name = s.country_name
    )
    ORDER BY s.country_name;

    INSERT INTO dwh.dimension_applications (application_name)
    SELECT DISTINCT s.application_name FROM pg_temp.staged_notes AS s
    WHERE s.application_name IS NOT NULL AND NOT EXISTS (
        SELECT FROM dwh.dimension_applications AS a
        WHERE a.application_name = s.application_name
    )
    ORDER BY s.application_name;

    CREATE TEMPORARY TABLE staged_users ON COMMIT DROP AS
    SELECT s.opened_by AS username FROM pg_temp.staged_notes AS s WHERE s.opened_by IS NOT NULL
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

    -- The openings first: the closings take opener and time of opening from them,
    -- also where the note was loaded long ago from a file that said it otherwise.
    WITH added AS (
        INSERT INTO dwh.facts (
            note_id, action, action_at, action_dimension_id_user, opened_dimension_id_user,
            dimension_id_country, dimension_id_application
        )
        SELECT
            s.note_id, 'opened', s.opened_at, u.dimension_user_id, u.dimension_user_id,
            c.dimension_country_id, a.dimension_application_id
        FROM (
            SELECT DISTINCT ON (n.note_id) n.*
            FROM pg_temp.staged_notes AS n ORDER BY n.note_id, n.opened_at
        ) AS s
        JOIN dwh.dimension_countries AS c ON c.country_name = s.country_name
        LEFT JOIN dwh.dimension_users AS u ON u.username = s.opened_by
        LEFT JOIN dwh.dimension_applications AS a ON a.application_name = s.application_name
        WHERE NOT EXISTS (
            SELECT FROM dwh.facts AS f WHERE f.note_id = s.note_id AND f.action = 'opened'
        )
        ON CONFLICT DO NOTHING
        RETURNING action_dimension_id_user AS user_id
    )

    SELECT count(*), count(*) FILTER (WHERE user_id IS NULL)
    INTO new_opened, anonymous_opened FROM added;

    WITH added AS (
        INSERT INTO dwh.facts (
            note_id, action, action_at, action_dimension_id_user, opened_dimension_id_user,
            dimension_id_country, dimension_id_application, days_to_resolution
        )
        SELECT
            s.note_id, 'closed', s.closed_at, u.dimension_user_id, o.action_dimension_id_user,
            o.dimension_id_country, o.dimension_id_application,
            -- Not below 0: two files may give the same note different openings.
            greatest(0, floor(extract(EPOCH FROM s.closed_at - o.action_at) / 86400))
        FROM (
            SELECT DISTINCT ON (n.note_id, n.closed_at) n.*
            FROM pg_temp.staged_notes AS n
            WHERE n.closed_at IS NOT NULL
            ORDER BY n.note_id, n.closed_at, n.closed_by
        ) AS s
        JOIN dwh.facts AS o ON o.note_id = s.note_id AND o.action = 'opened'
        LEFT JOIN dwh.dimension_users AS u ON u.username = s.closed_by
        WHERE NOT EXISTS (
            SELECT FROM dwh.facts AS f
            WHERE f.note_id = s.note_id AND f.action = 'closed' AND f.action_at = s.closed_at
        )
        ON CONFLICT DO NOTHING
        RETURNING action_dimension_id_user AS user_id
    )

    SELECT count(*), count(*) FILTER (WHERE user_id IS NULL)
    INTO new_closed, anonymous_closed FROM added;
    new_anonymous := anonymous_opened + anonymous_closed;

    -- The rows that this transaction wrote: its users, new or marked by a trigger.
    SELECT count(*) INTO users_dirtied
    FROM dwh.dimension_users AS u
    WHERE u.modified AND u.xmin = pg_current_xact_id()::xid;
END
$$;
