-- etl.back_off(attempts): how long an item that failed is left alone.
--
-- Parameters: attempts  failures so far, from 1; less counts as 1
-- Returns:    1, 2, 4, … minutes, at most 6 hours, a quarter more or less by chance
-- Locks:      none
-- Cost:       constant
CREATE OR REPLACE FUNCTION etl.back_off(attempts bigint)
RETURNS interval
LANGUAGE sql VOLATILE AS $$
    SELECT least(interval '6 hours', interval '1 minute' * 2 ^ (least(greatest(attempts, 1), 20) - 1))
        * (0.75 + random() / 2)
$$;
