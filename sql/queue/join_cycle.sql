-- Enters a crew into a cycle.
--
-- Parameters: :'cycle_id', :'host', :'pid', :'workers'
-- Returns:    crew, its number; no row where the cycle closes
-- Writes:     etl.crew
-- Locks:      the row of etl.queue, so that none joins a cycle that closes
-- Cost:       constant
WITH q AS (
    SELECT o.cycle_id FROM etl.queue AS o
    WHERE o.cycle_id = CAST(:'cycle_id' AS bigint) AND NOT o.is_closing
    FOR UPDATE
)

INSERT INTO etl.crew (cycle_id, crew, host, pid, workers)
SELECT
    q.cycle_id,
    nextval('etl.crew_number'), :'host', CAST(:'pid' AS integer), CAST(:'workers' AS integer)
FROM q
RETURNING crew;
