-- Loads the module that tells the plans of statements inside a procedure into this session.
--
-- Parameters: none
-- Returns:    nothing
-- Writes:     nothing; other sessions do not notice
-- Locks:      none
-- Cost:       constant; needs a superuser
LOAD 'auto_explain';
