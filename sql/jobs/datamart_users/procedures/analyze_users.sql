-- dwh.analyze_users(): gives the planner statistics of the users that a load has added.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     the statistics of dwh.dimension_users
-- Locks:      SHARE UPDATE EXCLUSIVE on dwh.dimension_users until the transaction ends
-- Cost:       reads a sample of the table, and the whole of it below 30,000 pages
--
-- Only the owner of a table may ANALYZE it; anybody else gets a warning and no statistics,
-- and a first load would then be planned for a table without rows. So this runs with the
-- rights of its owner. It takes no argument and names its one table in full, and with the
-- fixed search_path nothing of the caller's is ever found by a shorter name.
CREATE OR REPLACE PROCEDURE dwh.analyze_users()
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    ANALYZE dwh.dimension_users;
END
$$;
