-- The notes of a sample warehouse in the layout in which notes are published.
--
-- Parameters: none
-- Returns:    a row for each note
-- Reads:      dwh.facts and its dimensions
-- Locks:      none
-- Cost:       in proportion to the facts
SELECT
    abs(o.note_id) AS note_id, c.country_name, 0.0 AS latitude, 0.0 AS longitude,
    o.action_at AS opened_at, x.action_at AS closed_at, x.days_to_resolution,
    u.username AS opened_by_username, '#' || a.application_name AS opening_comment,
    1 AS total_comments, '' AS was_reopened, y.username AS closed_by_username,
    '' AS closing_comment
FROM dwh.facts AS o
JOIN dwh.dimension_countries AS c ON o.dimension_id_country = c.dimension_country_id
LEFT JOIN dwh.facts AS x ON o.note_id = x.note_id AND x.action = 'closed'
LEFT JOIN dwh.dimension_users AS u ON o.action_dimension_id_user = u.dimension_user_id
LEFT JOIN dwh.dimension_users AS y ON x.action_dimension_id_user = y.dimension_user_id
LEFT JOIN
    dwh.dimension_applications AS a
    ON o.dimension_id_application = a.dimension_application_id
WHERE o.action = 'opened'
ORDER BY o.note_id DESC;
