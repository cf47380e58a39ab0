-- How many users the warehouse has, and how many of them are sample data.
--
-- Parameters: none
-- Returns:    users, samples; one row
-- Reads:      dwh.dimension_users
-- Locks:      none
-- Cost:       in proportion to the users
SELECT
    count(*) AS users,
    count(*) FILTER (WHERE starts_with(username, 'sample_')) AS samples
FROM dwh.dimension_users;
