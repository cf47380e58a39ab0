-- A day of new notes: each of some users opens one and closes it the same day.
--
-- Parameters: :users  how many users there are, numbered from 1
--             :active how many of them do something, drawn at random
--             :first  number of the first note; none is there yet
--             :'day'  when
-- Returns:    nothing
-- Writes:     dwh.facts, through its triggers dwh.dimension_users
-- Locks:      the rows of these users
-- Cost:       in proportion to the active users
INSERT INTO dwh.facts (
    note_id, action, action_at, action_dimension_id_user, opened_dimension_id_user,
    dimension_id_country, days_to_resolution
)
SELECT
    n.note, a.action, CAST(CAST(:'day' AS date) AS timestamp) + a.later, n.user_id, n.user_id,
    (SELECT min(c.dimension_country_id) FROM dwh.dimension_countries AS c), a.days
FROM (
    SELECT
        CAST(:first AS bigint) + i AS note,
        1 + CAST(floor(CAST(:users AS integer) * random()) AS integer) AS user_id
    FROM generate_series(1, CAST(:active AS integer)) AS i
) AS n
CROSS JOIN (
    VALUES
    (CAST('opened' AS dwh.note_action), interval '10 hours', NULL),
    ('closed', interval '15 hours', 0)
) AS a (action, later, days);
