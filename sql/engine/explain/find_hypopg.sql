-- Makes the functions of hypopg known for the rest of the transaction, behind all others.
--
-- Parameters: :'schema'  the schema of the extension, quoted where it needs it
-- Returns:    one row, the value set
-- Locks:      none
-- Cost:       constant
SELECT
    set_config(
        'search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), CAST(:'schema' AS text)), TRUE
    );
