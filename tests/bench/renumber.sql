-- Numbers the users anew, in the order of the prioritization: then pgbench reaches the n-th
-- item of the queue by counting to n, and works on the same users in the same order.
--
-- Parameters: none; pg_temp.place (old, new) has both numbers of every user
-- Returns:    nothing
-- Writes:     dwh.dimension_users and dwh.facts, each row at the place where it was;
--             empties dwh.datamart_users
-- Locks:      all three tables; run it in one transaction, where nobody else is
-- Cost:       in proportion to the facts
SET LOCAL session_replication_role = replica;

CREATE TEMPORARY TABLE old_users ON COMMIT DROP AS SELECT * FROM dwh.dimension_users;

CREATE TEMPORARY TABLE old_facts ON COMMIT DROP AS SELECT * FROM dwh.facts;

TRUNCATE dwh.dimension_users, dwh.facts, dwh.datamart_users;

INSERT INTO dwh.dimension_users (
    dimension_user_id, username, modified, dirty_since, total_actions, last_action_at
)
OVERRIDING SYSTEM VALUE
SELECT p.new, u.username, TRUE, now(), u.total_actions, u.last_action_at
FROM pg_temp.old_users AS u
JOIN pg_temp.place AS p ON u.dimension_user_id = p.old
ORDER BY u.dimension_user_id;

INSERT INTO dwh.facts (
    note_id, action_at, action_dimension_id_user, opened_dimension_id_user,
    dimension_id_country, dimension_id_application, days_to_resolution, action
)
SELECT
    f.note_id, f.action_at, a.new, o.new,
    f.dimension_id_country, f.dimension_id_application, f.days_to_resolution, f.action
FROM (SELECT row_number() OVER () AS place, r.* FROM pg_temp.old_facts AS r) AS f
LEFT JOIN pg_temp.place AS a ON f.action_dimension_id_user = a.old
LEFT JOIN pg_temp.place AS o ON f.opened_dimension_id_user = o.old
ORDER BY f.place;
