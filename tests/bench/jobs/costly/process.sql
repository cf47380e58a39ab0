-- Sleeps, or computes, for as long as the item costs.
--
-- Parameters: :'sleep_s'  seconds to sleep
--             :'rounds'   rounds to compute
-- Returns:    nothing
-- Locks:      none
-- Cost:       that
CALL bench_costly.spend(:'sleep_s', :'rounds');
