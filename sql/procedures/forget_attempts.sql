-- etl.forget_attempts(job, keep_days, now): deletes the attempts of cycles that began long
-- ago. The records of the cycles stay.
--
-- Parameters: job        whose cycles
--             keep_days  how many days their attempts are kept, from 1 to a thousand years
--             now        the moment that counts as now
-- Returns:    nothing
-- Writes:     etl.attempt
-- Locks:      the rows deleted
-- Cost:       in proportion to the attempts deleted, those of at most 20 cycles a call: a
--             ledger that has never been tidied is tidied over some nights. Idempotent
--
-- A runner may add attempts and may not delete any (see grants/etl_runner.sql): what failed
-- yesterday is for everybody to see. So this runs with the rights of its owner, names all in
-- full, and with the fixed search_path nothing of the caller's is ever found by a shorter name.
CREATE OR REPLACE PROCEDURE etl.forget_attempts(
    job text, keep_days integer, now timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old_cycle_id bigint;
BEGIN
    -- One by one, so that each is found by index, whatever the statistics say.
    FOR old_cycle_id IN
        SELECT c.cycle_id
        FROM etl.cycle AS c
        -- Not those that have none any more: where another job keeps its attempts for longer, the
        -- first twenty are of that kind. LIMIT makes it a look at the index for each.
        CROSS JOIN LATERAL (SELECT FROM etl.attempt AS a WHERE a.cycle_id = c.cycle_id LIMIT 1) AS x
        WHERE c.job = forget_attempts.job
            AND c.finished_at IS NOT NULL
            AND c.started_at < least(forget_attempts.now, now())
                - make_interval(days => least(greatest(forget_attempts.keep_days, 1), 365000))
            -- No job's cycles before have any. The day: numbers are given out nearly, not quite,
            -- in the order of time.
            AND c.started_at >= (
                SELECT o.started_at - interval '1 day' FROM etl.cycle AS o
                WHERE o.cycle_id = (SELECT min(a.cycle_id) FROM etl.attempt AS a)
            )
        ORDER BY c.started_at
        LIMIT 20
    LOOP
        DELETE FROM etl.attempt AS a WHERE a.cycle_id = old_cycle_id;
    END LOOP;
END
$$;

REVOKE EXECUTE ON PROCEDURE etl.forget_attempts FROM public;
