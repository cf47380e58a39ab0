-- Checkpoints that came because WAL had filled up, on PostgreSQL 17 and newer.
--
-- Parameters: none
-- Returns:    severity, what, why, command; one row, or none
-- Reads:      pg_stat_checkpointer
-- Locks:      none
-- Cost:       constant
SELECT
    'note' AS severity,
    format('%s of %s checkpoints were asked for before their time', b.num_requested, b.num_requested + b.num_timed)
        AS what,
    format(
        'Mostly since WAL reaches max_wal_size (%s) early: more is written than need be. A backup and a new '
        'database ask for one, too', current_setting('max_wal_size')
    ) AS why,
    'ALTER SYSTEM SET max_wal_size = ''4GB''; SELECT pg_reload_conf(); -- as the disk allows' AS command
FROM pg_stat_checkpointer AS b
WHERE b.num_requested > 10 AND b.num_requested > b.num_timed;
