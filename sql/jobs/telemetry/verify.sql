-- The matches whose rows contradict each other: the sums of the players must be those of the match,
-- and every kill, hit and revival has two sides. The messages are gone, so no more can be told.
--
--   psql -f verify.sql
--
-- Parameters: none
-- Returns:    item_key, problem; no row: all right
-- Reads:      telemetry.matches, telemetry.match_players
-- Locks:      none
-- Cost:       in proportion to both tables
SELECT
    m.match_id AS item_key,
    CASE
        WHEN count(p.player) <> m.players
            THEN format('has %s players, should have %s', count(p.player), m.players)
        WHEN sum(p.kills) <> m.kills OR sum(p.deaths) <> m.kills
            THEN format('%s kills and %s deaths, should be %s', sum(p.kills), sum(p.deaths), m.kills)
        WHEN sum(p.damage_dealt) <> m.damage OR sum(p.damage_taken) <> m.damage
            THEN format('damage %s, taken %s, should be %s', sum(p.damage_dealt), sum(p.damage_taken), m.damage)
        WHEN sum(p.landings) <> m.landings
            THEN format('%s landings, should be %s', sum(p.landings), m.landings)
        ELSE format('%s revives, revived %s, should be %s', sum(p.revives), sum(p.revived), m.revives)
    END AS problem
FROM telemetry.matches AS m
LEFT JOIN telemetry.match_players AS p ON m.match_id = p.match_id
GROUP BY m.match_id
HAVING
    count(p.player) <> m.players
    OR sum(p.kills) <> m.kills OR sum(p.deaths) <> m.kills
    OR sum(p.damage_dealt) <> m.damage OR sum(p.damage_taken) <> m.damage
    OR sum(p.landings) <> m.landings
    OR sum(p.revives) <> m.revives OR sum(p.revived) <> m.revives
ORDER BY m.match_id;
