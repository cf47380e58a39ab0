-- Forgets messages that were done long ago: one that comes again after that would be done again.
--
-- Parameters: :'job', :keep_days, :'now'  when it is now
--             :most  so many rows at most
-- Returns:    how many rows went
-- Writes:     etl.done_message
-- Locks:      the rows deleted; those that somebody else forgets just now are passed over
-- Cost:       in proportion to the rows deleted
WITH old AS (
    SELECT m.message_id
    FROM etl.done_message AS m
    WHERE
        m.job = :'job'
        -- A thousand years at most: what is longer ago has no date any more.
        AND m.done_at < CAST(:'now' AS timestamptz)
        - make_interval(days => least(CAST(:keep_days AS integer), 365000))
    ORDER BY m.done_at
    LIMIT CAST(:most AS integer)
    FOR UPDATE SKIP LOCKED
),

gone AS (
    DELETE FROM etl.done_message AS m
    USING old AS o
    WHERE m.job = :'job' AND m.message_id = o.message_id
    RETURNING m.message_id
)

SELECT count(*) AS forgotten FROM gone;
