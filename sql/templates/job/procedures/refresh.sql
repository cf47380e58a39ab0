-- job_schema.refresh(item_key): computes the result of one unit_name and clears its marks,
-- in the caller's transaction.
--
-- Parameters: item_key  source_table.source_key
-- Returns:    nothing. Error 55P03: another session refreshes this unit_name; then nothing
--             is changed and it stays as dirty as it was
-- Reads:      the rows of this unit_name in source_table. Needs an index on source_key:
--             without one each refresh reads the whole table
-- Writes:     one row of job_schema.result; deletes the marks of this unit_name
-- Locks:      an advisory lock on the unit_name throughout: one refresh of it at a time.
--             Whoever writes source_table never waits for it
-- Cost:       in proportion to the rows read. Idempotent
--
-- No update is lost, because of the order: first the marks go, then the source is read.
-- Each statement sees what was committed before it began. So a change whose mark was
-- deleted here is read below; one that commits later leaves a mark that is not deleted.
-- The other way round, a change that commits in between would lose its mark unread.
-- Everything commits together: should the refresh fail or be killed, the marks are back.
CREATE OR REPLACE PROCEDURE job_schema.refresh(item_key source_table.source_key%TYPE) -- noqa: LT01
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF NOT pg_try_advisory_xact_lock(
        hashtextextended(refresh.item_key::text, 'job_schema.mark'::regclass::oid::bigint)
    ) THEN
        RAISE lock_not_available
            USING MESSAGE = format('unit_name %s is being refreshed by another session', refresh.item_key);
    END IF;

    -- 1. The marks. Keep this in front of all that reads.
    DELETE FROM job_schema.mark AS m WHERE m.item_key = refresh.item_key;

    -- 2. The result. Compute here what you need, from as many tables as you need.
    INSERT INTO job_schema.result AS stored (item_key, source_rows, refreshed_at)
    SELECT refresh.item_key, count(*), now()
    FROM source_table AS s
    WHERE s.source_key = refresh.item_key
    HAVING count(*) > 0
    ON CONFLICT (item_key) DO UPDATE
    SET source_rows = excluded.source_rows, refreshed_at = excluded.refreshed_at;

    -- 3. All its rows were deleted: so is its result.
    IF NOT FOUND THEN
        DELETE FROM job_schema.result AS r WHERE r.item_key = refresh.item_key;
    END IF;
END
$$;
