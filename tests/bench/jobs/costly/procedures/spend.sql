-- bench_costly.spend(sleep_s, rounds): sleeps, then computes.
--
-- Parameters: sleep_s  seconds
--             rounds   of a loop; 100,000 take some milliseconds
-- Returns:    nothing
-- Locks:      none
-- Cost:       that
CREATE OR REPLACE PROCEDURE bench_costly.spend(sleep_s double precision, rounds integer)
LANGUAGE plpgsql AS $$
DECLARE
    total bigint := 0;
BEGIN
    PERFORM pg_sleep(sleep_s);
    FOR i IN 1..rounds LOOP
        total := total + i;
    END LOOP;
END
$$;
