-- What is known of matches, and of each player in them.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema telemetry, its tables and a view
-- Locks:      none on existing objects
-- Cost:       constant
CREATE SCHEMA IF NOT EXISTS telemetry;

CREATE TABLE telemetry.matches (
    match_id text PRIMARY KEY,
    message_id text NOT NULL,
    map text NOT NULL,
    mode text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    players integer NOT NULL,
    events integer NOT NULL,
    kills integer NOT NULL,
    damage numeric NOT NULL CHECK (abs(damage) < 'Infinity'),
    landings integer NOT NULL,
    revives integer NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (ended_at >= started_at)
);

COMMENT ON COLUMN telemetry.matches.events IS 'All of its events, also those of kinds that are not counted';

CREATE TABLE telemetry.match_players (
    match_id text NOT NULL REFERENCES telemetry.matches ON DELETE CASCADE,
    player text NOT NULL,
    team integer NOT NULL,
    kills integer NOT NULL,
    deaths integer NOT NULL,
    damage_dealt numeric NOT NULL CHECK (abs(damage_dealt) < 'Infinity'),
    damage_taken numeric NOT NULL CHECK (abs(damage_taken) < 'Infinity'),
    landings integer NOT NULL,
    revives integer NOT NULL,
    revived integer NOT NULL,
    first_landing_at timestamptz,
    died_at timestamptz,
    PRIMARY KEY (match_id, player)
);

COMMENT ON COLUMN telemetry.match_players.revived IS 'How often a team mate revived this player';

COMMENT ON COLUMN telemetry.match_players.died_at IS 'The last time; null: lived to see the end';

CREATE INDEX match_players_of_player ON telemetry.match_players (player, match_id);

-- A view, not a table: matches that are stored side by side would wait for each other's players.
CREATE VIEW telemetry.players AS
SELECT
    p.player,
    count(*) AS matches,
    sum(p.kills) AS kills,
    sum(p.deaths) AS deaths,
    sum(p.damage_dealt) AS damage_dealt,
    sum(p.damage_taken) AS damage_taken,
    sum(p.landings) AS landings,
    sum(p.revives) AS revives
FROM telemetry.match_players AS p
GROUP BY p.player;
