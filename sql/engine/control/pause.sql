-- Lets the cycles of a job claim nothing for a while.
--
-- Parameters: :'job'
--             :'seconds'  for how long; null: until somebody resumes it
--             :'reason'   what to tell whoever asks; null: none
-- Returns:    paused_until; infinity as null
-- Writes:     one row of etl.control
-- Locks:      that row
-- Cost:       constant
INSERT INTO etl.control AS c (job, paused_until, pause_reason)
VALUES (
    :'job', coalesce(clock_timestamp() + CAST(:'seconds' AS double precision) * interval '1 s', 'infinity'), :'reason'
)
ON CONFLICT (job) DO UPDATE
    SET
        paused_until = excluded.paused_until,
        pause_reason = excluded.pause_reason,
        changed_at = clock_timestamp(),
        changed_by = session_user
RETURNING nullif(c.paused_until, 'infinity') AS paused_until;
