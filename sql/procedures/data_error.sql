-- etl.is_data_error(sqlstate): whether a failure lies in the data, so that the same
-- item fails the same way next time unless somebody mends what it reads.
--
-- Parameters: sqlstate  five characters; null where the worker died
-- Returns:    true for
--               21     a subquery that should find one row finds several
--               22     data exceptions: division by zero, out of range, not a number
--               23     integrity constraints
--               44     WITH CHECK OPTION of a view
--               P0002, P0003, P0004  INTO STRICT found none or several; ASSERT
--             false for all others, also P0001: RAISE EXCEPTION may mean anything
-- Locks:      none
-- Cost:       constant
CREATE OR REPLACE FUNCTION etl.is_data_error(sqlstate text)
RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        left(sqlstate, 2) IN ('21', '22', '23', '44') OR sqlstate IN ('P0002', 'P0003', 'P0004'),
        FALSE
    )
$$;
