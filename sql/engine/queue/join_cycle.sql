-- Enters a crew into a cycle.
--
-- Parameters: :'cycle_id', :'host', :'pid', :'workers'
-- Returns:    crew, its number; no row where the cycle closes
-- Writes:     etl.queue, etl.crew
-- Locks:      the row of etl.queue, so that no two get one number, and none joins a cycle
--             that closes
-- Cost:       constant
WITH entered AS (
    UPDATE etl.queue AS q SET crews = q.crews + 1
    WHERE q.cycle_id = CAST(:'cycle_id' AS bigint) AND NOT q.is_closing
    RETURNING q.cycle_id, q.crews
)

INSERT INTO etl.crew (cycle_id, crew, host, pid, workers)
SELECT e.cycle_id, e.crews, :'host', CAST(:'pid' AS integer), CAST(:'workers' AS integer)
FROM entered AS e
RETURNING crew;
