-- Where a batch ends that begins at first_key and has so many users.
--
--   psql -v kind=followers -v first_key=1 -v last_key=10000 -v size=100 -f cut.sql
--
-- Parameters: :'kind'   the counter; all count the same users
--             :first_key, :last_key  the range
--             :size     users of the batch
-- Returns:    last_key  of the batch: that of the range where it has fewer users than :size
--             keys      how many there are
-- Reads:      social.users, by primary key alone
-- Locks:      none
-- Cost:       in proportion to :size
SELECT
    CASE WHEN count(*) < CAST(:size AS bigint) THEN CAST(:last_key AS bigint) ELSE max(k.user_id) END
        AS last_key,
    count(*) AS keys
FROM (
    SELECT u.user_id
    FROM social.users AS u
    WHERE CAST(:'kind' AS text) <> '' AND u.user_id BETWEEN CAST(:first_key AS bigint) AND CAST(:last_key AS bigint)
    ORDER BY u.user_id
    LIMIT CAST(:size AS bigint)
) AS k;
