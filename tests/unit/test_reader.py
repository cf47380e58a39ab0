"""Reading published notes: a note or a reason for every record, none takes others with it."""

from io import BytesIO

import pytest

from etl.errors import InputError
from etl.notes.reader import Reject
from tests.unit.copied_notes import Note, notes_and_rejects

HEADER = (
    b"note_id,country_name,opened_at,closed_at,opened_by_username,closed_by_username,"
    b"opening_comment\n"
)
GOOD = b"1,Chile,2024-01-02 03:04:05,2024-02-03 04:05:06,ana,ben,hello\n"


def read(text: bytes) -> list[Note | Reject]:
    """All that is found below the header."""
    return list(notes_and_rejects(BytesIO(HEADER + text)))


def note(text: bytes) -> Note:
    """The only record, a note."""
    (found,) = read(text)
    assert isinstance(found, Note), found
    return found


def told(found: list[Note | Reject]) -> list[int | str]:
    """Notes as their ids, rejects as the line they name."""
    return [x.note_id if isinstance(x, Note) else f"line {x.line}" for x in found]


def test_a_record_becomes_a_note() -> None:
    expected = Note(1, "Chile", "2024-01-02 03:04:05", "2024-02-03 04:05:06", "ana", "ben", None)
    assert note(GOOD) == expected


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InputError, match=r"^notes\.csv is empty$"):
        list(notes_and_rejects(BytesIO(b"")))


@pytest.mark.parametrize(
    ("header", "lacking"),
    [
        (GOOD, "note_id, country_name, opened_at"),
        (b"\n", "note_id"),
        (HEADER.replace(b"closed_at,", b""), "closed_at$"),
        (HEADER.replace(b"note_id", b"\xff\xfe"), "note_id$"),
    ],
    ids=["a note", "an empty line", "a column too few", "bytes"],
)
def test_a_first_line_that_is_no_header_says_what_it_lacks(header: bytes, lacking: str) -> None:
    with pytest.raises(InputError, match=rf"^notes\.csv:1: the header .* lacks: {lacking}"):
        list(notes_and_rejects(BytesIO(header + GOOD)))


def test_the_header_may_be_quoted_or_follow_a_byte_order_mark() -> None:
    quoted = b",".join(b'"%s"' % name for name in HEADER.strip().split(b",")) + b"\r\n"
    for header in (quoted, b"\xef\xbb\xbf" + HEADER):
        assert told(list(notes_and_rejects(BytesIO(header + GOOD)))) == [1]
    with pytest.raises(InputError, match=r"^notes\.csv:1: the header: its quotes are wrong"):
        list(notes_and_rejects(BytesIO(b'"' + HEADER + GOOD)))


def test_columns_are_found_by_name_in_any_order_among_others() -> None:
    header = (
        b"opening_comment,id_country,closed_by_username,opened_by_username,"
        b"closed_at,opened_at,country_name,note_id\r\n"
    )
    row = b"#osmand,44,ben,ana,2024-02-03,2024-01-02,Chile,7\r\n"
    (found,) = notes_and_rejects(BytesIO(header + row))
    assert found == Note(
        *(7, "Chile", "2024-01-02 00:00:00", "2024-02-03 00:00:00"), *("ana", "ben", "osmand")
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"stray words", "has 1 fields instead of 7"),
        (b"1,Chile,2024-01-02,,ana,", "has 6 fields instead of 7"),
        (b"1,Chile,2024-01-02,,ana,,x,y", "has 8 fields instead of 7"),
        (b"-1,Chile,2024-01-02,,ana,,x", "note_id is no positive number: '-1'"),
        (b"0,Chile,2024-01-02,,ana,,x", "note_id is no positive number: '0'"),
        (b"9223372036854775808,Chile,2024-01-02,,ana,,x", "note_id is no positive number"),
        pytest.param(b"9" * 5000 + b",a,2024-01-02,,b,,x", "note_id is no", id="5000 digits"),
        ("\u0663,Chile,2024-01-02,,ana,,x".encode(), "note_id is no positive number"),
        (b",Chile,2024-01-02,,ana,,x", "note_id is no positive number: ''"),
        (b"1.0,Chile,2024-01-02,,ana,,x", "note_id is no positive number: '1.0'"),
        (b"1,Chile,2024-02-30 01:02:03,,ana,,x", "opened_at is no date and time: '2024-02-30"),
        (b"1,Chile,,,ana,,x", "opened_at is no date and time: ''"),
        (b"1,Chile,2024-01-02,soon,ana,,x", "closed_at is no date and time: 'soon'"),
        (b"1,Chile,2024-01-02,2024-01-01,ana,,x", "closed at 2024-01-01 before it was opened"),
        (b"1,Chile,2024-01-02T00:00Z,2024-01-02T00:30+01:00,a,b,x", "before it was opened"),
        (b"1,Chile,2024-01-02,,a\0na,,x", "holds a NUL byte"),
        (b"1,Chile,2024-01-02,,an\xe9,,x", "is not UTF-8 at byte 23"),
        (b'1,Chile,2024-01-02,,ana,,"x', "quotes are wrong"),
        (b'1,Chile,2024-01-02,,"a"na,,x', "quotes are wrong"),
        (b"1,Chile,0001-01-01T00:00+23:00,,ana,,x", "opened_at"),
        (b"1,Chile,2024-01-02,9999-12-31T23:59-23:00,ana,ben,x", "closed_at"),
    ],
)
def test_what_is_no_note_is_rejected_with_its_line_reason_and_text(row: bytes, reason: str) -> None:
    found = read(GOOD + row + b"\n" + GOOD)
    assert told(found) == [1, "line 3", 1]
    rejected = found[1]
    assert isinstance(rejected, Reject)
    assert reason in rejected.reason
    assert rejected.text == row.decode(errors="backslashreplace")


def test_the_largest_note_id_is_a_note() -> None:
    assert note(GOOD.replace(b"1", b"9223372036854775807", 1)).note_id == 2**63 - 1


@pytest.mark.parametrize("name", [b"", b"Unknown", b'""', b'"Unknown"'])
def test_an_unknown_name_is_nobody(name: bytes) -> None:
    found = note(b"1,Chile,2024-01-02,2024-01-03,%b,%b,x\n" % (name, name))
    assert (found.opened_by, found.closed_by) == (None, None)


def test_an_open_note_was_closed_by_nobody() -> None:
    found = note(b"1,,2024-01-02,,ana,ben,x\n")
    assert (found.closed_at, found.closed_by, found.country_name) == (None, None, "Unknown")


def test_quoted_fields_hold_commas_lines_and_quotes() -> None:
    found = note(b'1,"a,b",2024-01-02,2024-01-03,"two\nlines","say ""hi""","x, #y"\n')
    assert (found.country_name, found.opened_by) == ("a,b", "two\nlines")
    assert (found.closed_by, found.application_name) == ('say "hi"', "y")


def test_lines_are_counted_through_records_of_several_lines() -> None:
    three_lines = b'2,Chile,2024-01-02,,ana,,"one\ntwo\nthree"\n'
    found = read(GOOD + three_lines + b"x\n" + three_lines + b"y\n" + GOOD)
    assert told(found) == [*(1, 2, "line 6"), *(2, "line 10", 1)]


@pytest.mark.parametrize("following", [0, 1, 99, 100, 101, 250])
def test_a_quote_that_is_never_closed_rejects_only_its_own_line(following: int) -> None:
    found = read(b'7,Chile,2024-01-02,,ana,,"x\n' + GOOD * following)
    assert told(found) == ["line 2"] + [1] * following


def test_a_quote_never_closed_takes_neither_the_notes_before_another_nor_one_of_many_lines() -> (
    None
):
    broken = b'7,Chile,2024-01-02,,ana,,"x\n'
    assert told(read(broken + GOOD + GOOD + broken + GOOD)) == ["line 2", 1, 1, "line 5", 1]
    two_lines = b'2,Chile,2024-01-02,,ana,,"one\ntwo"\n'
    assert told(read(broken + GOOD + two_lines + GOOD)) == ["line 2", 1, 2, 1]


def test_lines_that_end_in_crlf_read_as_lines() -> None:
    found = read(GOOD.replace(b"\n", b"\r\n") + b"x\r\n")
    assert found[0] == note(GOOD)
    assert found[1] == Reject(3, "has 1 fields instead of 7", "x")


def test_the_last_line_needs_no_end() -> None:
    assert told(read(GOOD + GOOD.replace(b"1", b"2", 1).rstrip(b"\n"))) == [1, 2]


def test_a_very_long_line_costs_only_itself() -> None:
    long_id = b"9" * (3 << 20) + b",Chile,2024-01-02,,ana,,x\n"
    found = read(GOOD + long_id + GOOD)
    assert told(found) == [1, "line 3", 1]
    rejected = found[1]
    assert isinstance(rejected, Reject)
    assert len(rejected.text) <= 1 << 20


@pytest.mark.parametrize(
    ("given", "utc"),
    [
        (b"2024-01-02T00:30:00+01:00", "2024-01-01 23:30:00"),
        (b"2024-01-02 00:30:00-05:30", "2024-01-02 06:00:00"),
        (b"2024-01-02T00:30:00Z", "2024-01-02 00:30:00"),
        (b"2024-01-02 00:30:00", "2024-01-02 00:30:00"),
    ],
)
def test_times_are_told_in_utc(given: bytes, utc: str) -> None:
    assert note(b"1,Chile,%b,%b,ana,ben,x\n" % (given, given)).opened_at == utc
    assert note(b"1,Chile,%b,%b,ana,ben,x\n" % (given, given)).closed_at == utc


@pytest.mark.parametrize(
    ("comment", "application"),
    [
        ("shop is gone #MAPS.ME", "mapsme"),
        ("#mapsme", "mapsme"),
        ("gone #maps.me android", "mapsme"),
        ("#OsmAnd #mapsme", "osmand"),
        ("#street-complete_2", "streetcomplete2"),
        ("no tag", None),
        ("# alone", None),
        ("#... ", None),
    ],
)
def test_the_first_hashtag_names_the_application(comment: str, application: str | None) -> None:
    found = note(f"1,Chile,2024-01-02,,ana,,{comment}\n".encode())
    assert found.application_name == application
