-- Adds facts to users that are there: each opens notes, and closes every other one himself.
--
-- Parameters: :first  number of the first note; none is there yet
--             :notes  how many notes; half of them are closed, so 1.5 facts each
--             :users  how many users there are, numbered from 1
--             :'as_of' the last day with activity; it goes ten years back
-- Returns:    nothing
-- Writes:     dwh.facts, its plain indexes made anew behind them, which is faster than
--             entry by entry; the triggers are off, so the users' activity is set by activity.sql
-- Locks:      dwh.facts; run it in one transaction
-- Cost:       in proportion to the notes
SET LOCAL session_replication_role = replica;

CREATE TEMPORARY TABLE plain_index ON COMMIT DROP AS
SELECT CAST(i.indexrelid AS regclass) AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index AS i
WHERE i.indrelid = CAST('dwh.facts' AS regclass) AND NOT i.indisunique;

DO $$
BEGIN
    EXECUTE (SELECT 'DROP INDEX ' || string_agg(name::text, ', ') FROM pg_temp.plain_index);
END
$$;

INSERT INTO dwh.facts (
    note_id, action, action_at, action_dimension_id_user, opened_dimension_id_user,
    dimension_id_country, days_to_resolution
)
SELECT
    n.note, a.action, n.opened_at + a.later, n.user_id, n.user_id, 1, a.days
FROM (
    SELECT
        i AS note,
        1 + CAST(
            floor(CAST(:users AS integer) * ((hashint8(i) & 1048575) / 1048576.0) ^ 2) AS integer
        ) AS user_id,
        CAST(CAST(:'as_of' AS date) AS timestamp)
        - make_interval(days => hashint8(i + 7) & 4095, hours => hashint8(i + 9) & 15) AS opened_at
    FROM generate_series(
        CAST(:first AS bigint), CAST(:first AS bigint) + CAST(:notes AS bigint) - 1
    ) AS i
) AS n
JOIN (
    VALUES
    (0, CAST('opened' AS dwh.note_action), interval '0', NULL),
    (1, 'closed', interval '5 hours', 0)
) AS a (odd, action, later, days) ON a.odd = 0 OR n.note % 2 = 0;

DO $$
BEGIN
    EXECUTE (SELECT string_agg(definition, '; ') FROM pg_temp.plain_index);
END
$$;
