-- Replicas that lag behind, and replication slots that nobody reads.
--
-- Parameters: :'lag_s'  behind by more than that, seconds
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
    'warning' AS severity,
    format(
        'the replication slot %s is not in use and keeps %s of WAL', s.slot_name,
        pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), s.restart_lsn))
    ) AS what,
    'WAL that nobody fetches fills the disk; then the server stops' AS why,
    format('SELECT pg_drop_replication_slot(%L); -- unless its reader comes back', s.slot_name) AS command
FROM pg_replication_slots AS s
WHERE NOT s.active;
