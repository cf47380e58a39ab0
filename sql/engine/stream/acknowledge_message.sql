-- Acknowledges a message: the engine sends it right before process.sql, in the same transaction.
-- Where the message was done before, the key is broken and process.sql does not run.
--
-- Parameters: :'job', :'message_id'
-- Returns:    nothing; 23505 of this table where the message was done before
-- Writes:     a row of etl.done_message
-- Locks:      that row; waits for a transaction that does the same message just now
-- Cost:       constant
INSERT INTO etl.done_message (job, message_id)
VALUES (:'job', :'message_id');
