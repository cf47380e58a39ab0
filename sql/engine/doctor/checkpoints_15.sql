-- Checkpoints that came because WAL had filled up, on PostgreSQL 15 and 16.
--
-- Parameters: none
-- Returns:    severity, what, why, command; one row, or none
-- Reads:      pg_stat_bgwriter
-- Locks:      none
-- Cost:       constant
SELECT
    'note' AS severity,
    format(
        '%s of %s checkpoints were asked for before their time',
        b.checkpoints_req,
        b.checkpoints_req + b.checkpoints_timed
    ) AS what,
    format(
        'Mostly since WAL reaches max_wal_size (%s) early: more is written than need be. A backup and a new '
        'database ask for one, too', current_setting('max_wal_size')
    ) AS why,
    'ALTER SYSTEM SET max_wal_size = ''4GB''; SELECT pg_reload_conf(); -- as the disk allows' AS command
FROM pg_stat_bgwriter AS b
WHERE b.checkpoints_req > 10 AND b.checkpoints_req > b.checkpoints_timed;
