"""Reading notes made of anything: nothing raises, and what csv writes is read back."""

import csv
import io
from datetime import datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl.notes.reader import Reject
from tests.unit.copied_notes import Note, notes_and_rejects

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
    for found in notes_and_rejects(io.BytesIO(HEADER + text)):
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
    found = notes_and_rejects(io.BytesIO(HEADER + b"".join(records)))
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
        opened_at=str(min(times)),
        closed_at=str(max(times)) if is_closed else None,
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
        writer.writerow([*("" if value is None else value for value in note[:6]), "a, note"])
    stream = io.BytesIO(text.getvalue().encode())
    assert list(notes_and_rejects(stream)) == notes


MOMENTS = st.sampled_from(
    [
        *(b"2024-01-02", b"2024-01-02 00:00:00", b"2024-01-02 03:04:05", b"2024-01-03 03:04:05"),
        *(b"2024-01-02T03:04:05", b"2024-01-02 03:04:05Z", b"20240102", b"2024-W01-1 03:04:05"),
        *(b"2024-02-30 00:00:00", b"2024-01-02 24:00:00", b"2024-01-02  03:04:05", b"soon", b""),
    ]
)
WORDS = st.sampled_from(
    [b"", b"a", b"Unknown", b"a\\b", b"a\tb", b"a\0b", b"a\xff", b"\\N", b"\\.", "ñ\u2028".encode()]
)
RECORDS = st.tuples(
    st.sampled_from([b"7", b"7", b"07", b"0", b"-1", b"1_0", b"9" * 19, b"", "\u0663".encode()]),
    *(WORDS, MOMENTS, MOMENTS, WORDS, WORDS),
    st.sampled_from([b"", b"x", b"#a.b c", b"#.", b"x,y"]),
)


@settings(max_examples=1000, deadline=None)
@given(RECORDS)
@example((b"7", b"a\\b", b"2024-01-02", b"", b"a", b"", b""))
@example((b"7", b"a\tb", b"2024-01-02", b"", b"a", b"", b""))
@example((b"7", b"a", b"2024-01-02", b"2024-02-30 00:00:00", b"a", b"a", b""))
@example((b"7", b"a", b"2024-01-02 03:04:05", b"2024-01-02 00:00:00", b"a", b"a", b""))
@example((b"7", b"a", b"2024-01-02 00:00:00", b"2024-01-02", b"a", b"a", b""))
@example((b"9" * 19, b"a", b"2024-01-02", b"", b"a", b"a", b"#."))
def test_a_record_reads_the_same_whether_it_is_plain_or_quoted(fields: tuple[bytes, ...]) -> None:
    # A quote anywhere spares a record the short way that ordinary ones take.
    header = HEADER.rstrip() + b",more\n"
    plain, quoted = (
        list(notes_and_rejects(io.BytesIO(header + b",".join([*fields, last]) + b"\n")))
        for last in (b"x", b'"x"')
    )
    assert [_told(found) for found in plain] == [_told(found) for found in quoted]


def _told(found: Note | Reject) -> Note | str:
    return found if isinstance(found, Note) else found.reason
