-- Takes notes from standard input.
--
-- Parameters: none; rows on standard input
-- Returns:    nothing
-- Writes:     pg_temp.staged_notes
-- Locks:      none
-- Cost:       in proportion to the notes
COPY pg_temp.staged_notes (
    note_id, country_name, opened_at, closed_at, opened_by, closed_by, application_name
) FROM STDIN;
