-- telemetry.store(message_id, body): stores what a match's telemetry says, in the caller's
-- transaction: one row for the match, one for each of its players.
--
-- Parameters: message_id  of the message, kept beside the match
--             body        its JSON: match_id, map, mode, started_at, ended_at, players (an array
--                         of player, team) and events (an array of at, type, player, victim,
--                         amount). Types: kill, damage, landing, revive; others are only counted
-- Returns:    nothing. Errors: 22… and 23…, the message is broken, and will be the next time: no
--             JSON, a field that is missing or of the wrong kind, an event of a player who is not
--             in the match, a player listed twice; or another message has stored this match
-- Writes:     a row of telemetry.matches, one of telemetry.match_players for each player
-- Locks:      the rows written
-- Cost:       in proportion to the events
CREATE OR REPLACE PROCEDURE telemetry.store(message_id text, body text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    document constant jsonb := body::jsonb;
    message constant text := message_id;
    missing text;
    stranger text;
BEGIN
    IF jsonb_typeof(document) <> 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the message is no JSON object';
    END IF;
    SELECT f.name INTO missing
    FROM unnest(
        ARRAY['match_id', 'map', 'mode', 'started_at', 'ended_at', 'players', 'events']
    ) AS f (name)
    WHERE coalesce(document ->> f.name, '') = ''
    LIMIT 1;
    IF FOUND THEN
        RAISE invalid_parameter_value USING MESSAGE = format('the message has no %s', missing);
    END IF;

    WITH event AS MATERIALIZED (
        SELECT e.at, e.type, e.player, e.victim, coalesce(e.amount, 0) AS amount
        FROM jsonb_to_recordset(document -> 'events') AS e (
            at timestamptz, type text, player text, victim text, amount numeric
        )
    ),

    acted AS (
        SELECT
            e.player,
            count(*) FILTER (WHERE e.type = 'kill') AS kills,
            coalesce(sum(e.amount) FILTER (WHERE e.type = 'damage'), 0) AS damage,
            count(*) FILTER (WHERE e.type = 'landing') AS landings,
            count(*) FILTER (WHERE e.type = 'revive') AS revives,
            min(e.at) FILTER (WHERE e.type = 'landing') AS first_landing_at,
            count(*) AS events
        FROM event AS e
        GROUP BY e.player
    ),

    suffered AS (
        SELECT
            e.victim AS player,
            count(*) FILTER (WHERE e.type = 'kill') AS deaths,
            coalesce(sum(e.amount) FILTER (WHERE e.type = 'damage'), 0) AS damage,
            count(*) FILTER (WHERE e.type = 'revive') AS revived,
            max(e.at) FILTER (WHERE e.type = 'kill') AS died_at
        FROM event AS e
        WHERE e.victim IS NOT NULL OR e.type IN ('kill', 'damage', 'revive')
        GROUP BY e.victim
    ),

    listed AS MATERIALIZED (
        SELECT l.player, l.team
        FROM jsonb_to_recordset(document -> 'players') AS l (player text, team integer)
    ),

    match AS (
        INSERT INTO telemetry.matches (
            match_id, message_id, map, mode, started_at, ended_at, players, events, kills, damage,
            landings, revives
        )
        SELECT
            document ->> 'match_id', message, document ->> 'map', document ->> 'mode',
            (document ->> 'started_at')::timestamptz, (document ->> 'ended_at')::timestamptz,
            (SELECT count(*) FROM listed), coalesce(sum(a.events), 0), coalesce(sum(a.kills), 0),
            coalesce(sum(a.damage), 0), coalesce(sum(a.landings), 0), coalesce(sum(a.revives), 0)
        FROM acted AS a
    ),

    stored AS (
        INSERT INTO telemetry.match_players (
            match_id, player, team, kills, deaths, damage_dealt, damage_taken, landings, revives,
            revived, first_landing_at, died_at
        )
        SELECT
            document ->> 'match_id', l.player, l.team, coalesce(a.kills, 0), coalesce(s.deaths, 0),
            coalesce(a.damage, 0), coalesce(s.damage, 0), coalesce(a.landings, 0),
            coalesce(a.revives, 0), coalesce(s.revived, 0), a.first_landing_at, s.died_at
        FROM listed AS l
        LEFT JOIN acted AS a ON l.player = a.player
        LEFT JOIN suffered AS s ON l.player = s.player
    )

    SELECT u.player INTO stranger
    FROM (SELECT a.player FROM acted AS a UNION SELECT s.player FROM suffered AS s) AS u
    WHERE NOT EXISTS (SELECT FROM listed AS l WHERE l.player = u.player)
    LIMIT 1;
    IF FOUND THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('an event names %s, who is not in the match', coalesce(left(stranger, 100), 'nobody'));
    END IF;
END
$$;
