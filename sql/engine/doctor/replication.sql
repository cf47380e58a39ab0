-- Replicas that lag behind, and replication slots that nobody reads or that are lost.
--
-- Parameters: :'lag_s'       behind by more than that, seconds
--             :'slot_bytes'  WAL kept for a slot that nobody reads, from then on a warning
-- Returns:    severity, what, why, command; one row for each
-- Reads:      pg_stat_replication (only a member of pg_monitor sees it), pg_replication_slots
-- Locks:      none
-- Cost:       constant
SELECT
    'warning' AS severity,
    format('the replica %s is %s behind', r.application_name, date_trunc('second', r.replay_lag)) AS what,
    'It answers with old data; while it is behind by the job''s limit, its cycles wait' AS why,
    'SELECT application_name, state, sent_lsn, replay_lsn, replay_lag FROM pg_stat_replication;' AS command
FROM pg_stat_replication AS r
WHERE r.replay_lag > CAST(:'lag_s' AS double precision) * interval '1 s'
UNION ALL
SELECT
    CASE WHEN s.kept >= CAST(:'slot_bytes' AS bigint) OR s.wal_status = 'lost' THEN 'warning' ELSE 'note' END
        AS severity,
    CASE
        WHEN s.wal_status = 'lost' THEN format('the replication slot %s has lost its WAL', s.slot_name)
        ELSE format('the replication slot %s is not in use and keeps %s of WAL', s.slot_name, pg_size_pretty(s.kept))
    END AS what,
    CASE
        WHEN s.wal_status = 'lost' THEN 'Its reader cannot go on, and has to be set up anew'
        ELSE
            'WAL that nobody fetches fills the disk; then the server stops. max_slot_wal_keep_size is '
            || current_setting('max_slot_wal_keep_size')
    END AS why,
    format('SELECT pg_drop_replication_slot(%L); -- unless its reader comes back', s.slot_name) AS command
FROM (
    SELECT
        p.slot_name,
        p.wal_status,
        pg_wal_lsn_diff(
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END,
            p.restart_lsn
        ) AS kept
    FROM pg_replication_slots AS p
    WHERE NOT p.active AND (p.restart_lsn IS NOT NULL OR p.wal_status = 'lost')
) AS s;
