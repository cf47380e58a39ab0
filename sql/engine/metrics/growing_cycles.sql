-- How many of the latest cycles of a job, in a row, found a larger backlog than the one before.
--
-- Parameters: :'job'
-- Returns:    one row: cycles, at most 100
-- Reads:      etl.cycle
-- Locks:      none
-- Cost:       in proportion to the cycles of all jobs since the earliest of these
--
-- A running cycle counts as soon as it has counted its backlog; one that ended before has no
-- levels and is left out, and so is one for an item that was asked for by name.
WITH latest AS (
    SELECT c.found, row_number() OVER (ORDER BY c.cycle_id DESC) AS place
    FROM etl.cycle AS c
    WHERE c.job = :'job' AND c.levels <> '[]' AND NOT c.levels @> '[{"level": 0}]'
    ORDER BY c.cycle_id DESC
    LIMIT 101
)

SELECT coalesce(min(a.place) - 1, 0) AS cycles
FROM latest AS a
LEFT JOIN latest AS b ON a.place + 1 = b.place
WHERE b.found IS NULL OR a.found <= b.found;
