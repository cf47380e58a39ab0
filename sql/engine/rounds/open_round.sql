-- The round that a cycle belongs to: the open one of its scope, or a new one.
--
-- Parameters: :'job', :'scope' (JSON), :'now'
-- Returns:    round_id
-- Writes:     a row of etl.round where none is open
-- Locks:      that row; the caller holds the lock of the job's cycles
-- Cost:       constant
WITH present AS (
    SELECT r.round_id
    FROM etl.round AS r
    WHERE r.job = :'job' AND r.scope = CAST(:'scope' AS jsonb) AND r.ended_at IS NULL
),

fresh AS (
    INSERT INTO etl.round (job, scope, began_at)
    SELECT :'job', CAST(:'scope' AS jsonb), CAST(:'now' AS timestamptz)
    WHERE NOT EXISTS (SELECT FROM present)
    RETURNING round_id
)

SELECT p.round_id FROM present AS p
UNION ALL
SELECT f.round_id FROM fresh AS f;
