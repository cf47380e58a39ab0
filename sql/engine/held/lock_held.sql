-- Keeps cycles from closing while held items are released. A closing cycle deletes and
-- writes rows in its own order, so two that lock row by row could wait for each other.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      etl.held_item against writers until the transaction ends; waits for a
--             cycle that is just closing, never for one that runs
-- Cost:       constant
LOCK TABLE etl.held_item IN SHARE ROW EXCLUSIVE MODE;
