-- Closes the records of cycles of a job that were cut off and left no journal here:
-- on another host, or between opening the record and building the queue. The caller
-- holds the cycle lock, so none of them runs. Their counts are those of their last
-- second.
--
-- Parameters: :'job', :'now'
-- Returns:    nothing
-- Writes:     etl.cycle
-- Locks:      the rows written
-- Cost:       in proportion to those closed
UPDATE etl.cycle
SET stop_reason = 'crashed', finished_at = :'now'
WHERE job = :'job' AND finished_at IS NULL;
