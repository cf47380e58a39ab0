-- Triggers that mark users dirty and keep their activity up to date, whoever
-- writes to dwh.facts: the loader, a trigger elsewhere, a DBA's INSERT in psql.
--
-- Parameters: the changed rows (transition tables)
-- Returns:    nothing
-- Writes:     dwh.dimension_users: modified, total_actions, last_action_at
-- Locks:      the rows of the users concerned, in the order of their keys, so
--             that two writers never deadlock here; held until the writer commits
-- Cost:       one set-based statement for each writing statement, not for each row
--
-- Who is concerned: the action's user, and for a closing also the opener of the
-- note, whose resolved and open counts change.

CREATE OR REPLACE FUNCTION dwh.facts_inserted() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    concerned integer [];
    actions bigint [];
    latest_at timestamp [];
BEGIN
    SELECT array_agg(c.user_id), array_agg(c.actions), array_agg(c.latest_at)
    INTO concerned, actions, latest_at
    FROM (
        SELECT x.user_id, sum(x.actions) AS actions, max(x.action_at) AS latest_at
        FROM (
            SELECT a.action_dimension_id_user AS user_id, 1 AS actions, a.action_at
            FROM added AS a
            UNION ALL
            SELECT a.opened_dimension_id_user, 0, NULL
            FROM added AS a WHERE a.action = 'closed'
        ) AS x
        WHERE x.user_id IS NOT NULL
        GROUP BY x.user_id
    ) AS c;

    -- A statement of its own, so that the UPDATE below begins with all its rows
    -- locked and sees the latest version of each.
    PERFORM FROM dwh.dimension_users AS u
    WHERE u.dimension_user_id = ANY (concerned)
    ORDER BY u.dimension_user_id
    FOR NO KEY UPDATE OF u;

    UPDATE dwh.dimension_users AS u
    SET modified = TRUE,
        total_actions = u.total_actions + c.actions,
        last_action_at = greatest(u.last_action_at, c.latest_at)
    FROM unnest(concerned, actions, latest_at) AS c (user_id, actions, latest_at)
    WHERE u.dimension_user_id = c.user_id;
    RETURN NULL;
END
$$;

-- Corrections are rare and small: count the users concerned anew, by index.
CREATE OR REPLACE FUNCTION dwh.facts_corrected() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    concerned integer [];
BEGIN
    SELECT array_agg(DISTINCT x.user_id) INTO concerned
    FROM (
        SELECT unnest(ARRAY[r.action_dimension_id_user, r.opened_dimension_id_user]) AS user_id
        FROM removed AS r
    ) AS x;
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(DISTINCT x.user_id) INTO concerned
        FROM (
            SELECT unnest(concerned) AS user_id
            UNION
            SELECT unnest(ARRAY[a.action_dimension_id_user, a.opened_dimension_id_user])
            FROM added AS a
        ) AS x;
    END IF;

    PERFORM FROM dwh.dimension_users AS u
    WHERE u.dimension_user_id = ANY (concerned)
    ORDER BY u.dimension_user_id
    FOR NO KEY UPDATE OF u;

    UPDATE dwh.dimension_users AS u
    SET modified = TRUE,
        (total_actions, last_action_at) = (
            SELECT count(*), max(f.action_at)
            FROM dwh.facts AS f WHERE f.action_dimension_id_user = u.dimension_user_id
        )
    WHERE u.dimension_user_id = ANY (concerned);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION dwh.facts_truncated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dwh.dimension_users SET modified = TRUE, total_actions = 0, last_action_at = NULL;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER facts_inserted AFTER INSERT ON dwh.facts
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION dwh.facts_inserted();

CREATE OR REPLACE TRIGGER facts_updated AFTER UPDATE ON dwh.facts
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION dwh.facts_corrected();

CREATE OR REPLACE TRIGGER facts_deleted AFTER DELETE ON dwh.facts
REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION dwh.facts_corrected();

CREATE OR REPLACE TRIGGER facts_truncated AFTER TRUNCATE ON dwh.facts
FOR EACH STATEMENT EXECUTE FUNCTION dwh.facts_truncated();

-- When a user turned dirty, also where the mark was set by hand.
CREATE OR REPLACE FUNCTION dwh.user_marked() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.dirty_since := now();
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER user_marked BEFORE UPDATE ON dwh.dimension_users
FOR EACH ROW WHEN (new.modified AND NOT old.modified)
EXECUTE FUNCTION dwh.user_marked();
