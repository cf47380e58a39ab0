-- bench_costly.item: the items and what each of them costs.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     creates schema and table
-- Locks:      none on existing objects
-- Cost:       constant
CREATE SCHEMA bench_costly;

CREATE TABLE bench_costly.item (
    item_key integer PRIMARY KEY,
    sleep_s double precision NOT NULL,
    rounds integer NOT NULL
);
