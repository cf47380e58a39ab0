-- Messages as `etl telemetry publish-sample` sends them: matches made up by chance. The same seed
-- gives the same messages again.
--
--   psql -v seed=7 -v first=1 -v last=3 -v players=60 -v events=50 -f sample_messages.sql
--
-- Parameters: :seed           any whole number
--             :first, :last   which matches, counted from 1
--             :players        of a match, :events for each of them
-- Returns:    message_id, body
-- Reads:      nothing
-- Locks:      none
-- Cost:       in proportion to the events
SELECT
    format('%s-%s', CAST(:seed AS bigint), m.number) AS message_id,
    CAST(json_build_object(
        'match_id', format('%s-%s', CAST(:seed AS bigint), m.number),
        'map', (ARRAY['island', 'desert', 'snow', 'city'])[1 + m.number % 4],
        'mode', (ARRAY['solo', 'duo', 'squad'])[1 + m.number % 3],
        'started_at', m.started_at,
        'ended_at', m.started_at + CAST('30 minutes' AS interval),
        'players', (
            SELECT json_agg(json_build_object('player', format('player-%s', p.number), 'team', (p.number + 3) / 4))
            FROM generate_series(1, CAST(:players AS integer)) AS p (number)
        ),
        'events', (
            SELECT
                coalesce(json_agg(json_strip_nulls(json_build_object(
                    'at', m.started_at + e.number * CAST('30 minutes' AS interval)
                    / (1 + CAST(:players AS integer) * CAST(:events AS integer)),
                    'type', e.type,
                    'player', format('player-%s', 1 + (e.chance >> 8) % CAST(:players AS integer)),
                    'victim', CASE
                        WHEN e.type <> 'landing'
                            THEN format('player-%s', 1 + (e.chance >> 24) % CAST(:players AS integer))
                    END,
                    'amount', CASE WHEN e.type = 'damage' THEN round(((e.chance >> 40) % 1000) / 10.0, 1) END,
                    'x', (e.chance >> 12) % 8000,
                    'y', (e.chance >> 28) % 8000
                )) ORDER BY e.number), '[]')
            FROM (
                SELECT
                    k.number, k.chance,
                    CASE
                        WHEN k.number <= CAST(:players AS integer) THEN 'landing'
                        WHEN k.number < 2 * CAST(:players AS integer) THEN 'kill'
                        WHEN k.chance % 20 = 0 THEN 'revive'
                        ELSE 'damage'
                    END AS type
                FROM (
                    SELECT
                        n.number,
                        hashint8extended(n.number, CAST(:seed AS bigint) * 1000003 + m.number)
                        & 9223372036854775807 AS chance
                    FROM generate_series(1, CAST(:players AS bigint) * CAST(:events AS bigint)) AS n (number)
                ) AS k
            ) AS e
        )
    ) AS text) AS body
FROM (
    SELECT
        n.number,
        CAST('2026-01-01 00:00:00+00' AS timestamptz) + n.number * CAST('1 minute' AS interval) AS started_at
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n (number)
) AS m
ORDER BY m.number;
