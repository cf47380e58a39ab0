-- dwh.contributor_type(…): what kind of contributor a user is, first match wins.
--
-- Parameters: actions      openings and closings in all
--             active_days  days with at least one
--             first_day, last_day  the first and last of them
--             as_of        the day that counts as today
-- Returns:    none        no action at all
--             dormant     no action in the last 365 days
--             newcomer    first action in the last 30 days
--             expert      1,000 actions or more, on 100 days or more
--             regular     100 actions or more, or active on 30 days or more
--             one_day     active on a single day
--             occasional  everybody else
-- Locks:      none
-- Cost:       inlined into the calling statement
--
-- The clock moves a user only 31 days after the first day and 366 days after the
-- last; dwh.update_datamart_user counts on that for next_change_on.
CREATE OR REPLACE FUNCTION dwh.contributor_type(
    actions integer, active_days integer, first_day date, last_day date, as_of date
)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN actions = 0 THEN 'none'
        WHEN last_day < as_of - 365 THEN 'dormant'
        WHEN first_day >= as_of - 30 THEN 'newcomer'
        WHEN actions >= 1000 AND active_days >= 100 THEN 'expert'
        WHEN actions >= 100 OR active_days >= 30 THEN 'regular'
        WHEN active_days = 1 THEN 'one_day'
        ELSE 'occasional'
    END
$$;
