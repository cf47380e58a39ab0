-- How the server fares, as far as it matters to whether more work should be given to it.
--
-- Parameters: :'waiting_s'  a session counts that has waited for a lock for so long, seconds
-- Returns:    one row: replication_lag_s (the largest; null: no replica, or hidden from this
--             role), waiting_sessions, wraparound_vacuums (tables being vacuumed because
--             their transaction ids run out; hidden from a role without pg_monitor), wal_bytes
--             (written since ever), at (seconds, of this figure)
-- Reads:      pg_stat_replication, pg_locks, pg_stat_activity
-- Locks:      none; pg_locks holds up the lock manager for a moment
-- Cost:       constant; some times a minute while a cycle runs
SELECT
    (
        SELECT CAST(max(extract(EPOCH FROM r.replay_lag)) AS double precision)
        FROM pg_stat_replication AS r
        WHERE r.state = 'streaming'
    ) AS replication_lag_s,
    (
        SELECT count(DISTINCT l.pid) FROM pg_locks AS l
        WHERE
            NOT l.granted
            AND l.waitstart < clock_timestamp() - CAST(:'waiting_s' AS double precision) * interval '1 s'
    ) AS waiting_sessions,
    (
        SELECT count(*) FROM pg_stat_activity AS a
        WHERE a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)%'
    ) AS wraparound_vacuums,
    CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bigint) AS wal_bytes,
    CAST(extract(EPOCH FROM clock_timestamp()) AS double precision) AS at;
