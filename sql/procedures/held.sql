-- etl.held: the items that failed lately or wait for a person, and why.
-- `etl held list` shows it, `etl held release` deletes their rows in etl.held_item.
--
-- Parameters: none
-- Returns:    one row an item. state: quarantined (until a person releases it), held
--             (until held_until), due (its back-off is over: the next cycle may take it).
--             outcome, sqlstate, message: of its last attempt; sqlstate is null where
--             the worker died
-- Reads:      etl.held_item
-- Locks:      none
-- Cost:       in proportion to the rows; filter by job
CREATE OR REPLACE VIEW etl.held AS
SELECT
    h.job,
    h.item_key,
    CASE
        WHEN h.quarantined_at IS NOT NULL THEN 'quarantined'
        WHEN h.held_until > now() THEN 'held'
        ELSE 'due'
    END AS state,
    h.attempts,
    h.last_outcome AS outcome,
    h.last_sqlstate AS sqlstate,
    h.last_message AS message,
    h.held_until,
    h.quarantined_at,
    h.last_cycle_id
FROM etl.held_item AS h;
