"""Reading notes made of anything: nothing raises, and what csv writes is read back."""

import csv
import io
from datetime import datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl.notes.reader import Note, Reject, read_notes

COLUMNS = (
    *("note_id", "country_name", "opened_at", "closed_at"),
    *("opened_by_username", "closed_by_username", "opening_comment"),
)
HEADER = ",".join(COLUMNS).encode() + b"\n"
FEW = settings(max_examples=200, deadline=None)

# Pieces that get further into the reader than random bytes do.
PIECES = st.sampled_from(
    [
        *(b'"', b'""', b",", b"\n", b"\r\n", b"\0", b"\xff", b"#", b"1", b"Unknown"),
        *(b"1,Chile,", b"2024-01-02", b"0001-01-01T00:00+09:00", b"9999-12-31T23:59-09:00"),
        *(b"1,a,2024-01-02,,b,,c\n", b"1,a,2024-01-02,,b,,", b'"x\ny"\n'),
    ]
)


@FEW
@given(st.one_of(st.binary(max_size=400), st.lists(PIECES, max_size=40).map(b"".join)))
@example(b"1,a,0001-01-01T00:00+09:00,,b,,c\n")
def test_any_bytes_are_read_to_the_end_and_rejects_name_lines_of_the_file(text: bytes) -> None:
    last = 1 + len(text.split(b"\n"))
    before = 1
    for found in read_notes(io.BytesIO(HEADER + text), "any"):
        if isinstance(found, Reject):
            assert before < found.line <= last
            before = found.line


@FEW
@given(st.lists(st.sampled_from([b"1,a,2024-01-02,,b,,c\n", b"stray\n", b'2,"a\nb",?,,b,,c\n'])))
def test_each_record_yields_one_note_or_reject_with_its_line(records: list[bytes]) -> None:
    expected: list[int | None] = []
    line = 2
    for record in records:
        expected.append(None if record.startswith(b"1,") else line)
        line += record.count(b"\n")
    found = read_notes(io.BytesIO(HEADER + b"".join(records)), "any")
    assert [x.line if isinstance(x, Reject) else None for x in found] == expected


NAMES = st.text(
    st.one_of(
        st.sampled_from('",\n\r\t \\;#\x0b\x85\u2028'),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    min_size=1,
    max_size=20,
).filter(lambda name: name != "Unknown")
TIMES = st.datetimes(min_value=datetime(2013, 1, 1), max_value=datetime(2030, 1, 1))  # noqa: DTZ001


def _note(
    note_id: int,
    country: str,
    names: tuple[str, str],
    times: tuple[datetime, datetime],
    is_closed: bool,
) -> Note:
    return Note(
        note_id=note_id,
        country_name=country,
        opened_at=min(times).isoformat(),
        closed_at=max(times).isoformat() if is_closed else None,
        opened_by=names[0],
        closed_by=names[1] if is_closed else None,
        application_name=None,
    )


ROWS = st.builds(
    _note,
    st.integers(1, 2**63 - 1),
    NAMES,
    st.tuples(NAMES, NAMES),
    st.tuples(TIMES, TIMES),
    st.booleans(),
)


@FEW
@given(st.lists(ROWS, max_size=8))
def test_notes_written_by_csv_are_read_back_as_they_were(notes: list[Note]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for note in notes:
        writer.writerow([*("" if value is None else value for value in note.row()[:6]), "a, note"])
    stream = io.BytesIO(text.getvalue().encode())
    assert list(read_notes(stream, "written")) == notes
