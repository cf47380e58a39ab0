"""Keys that are any text at all: through queue, worker, ledger, log lines and JSON."""

import json
from hashlib import sha512

import pytest

from tests.integration.test_hostile_jobs import is_harmless
from tests.tally import Tally

KEYS = {
    "nothing": "",
    "null": "\\N",
    "quotes": 'it\'s "a" $$ $tag$ `x`',
    "white space": " \t\n\r\v\f ",
    "backslashes": "\\ \\t \\n \\\\N \\",
    "separators": "a\x85b\u2028c\u2029d\x1ee",
    "injection": "x'); DROP TABLE thing; --",
    "parameters": "$1 :item_key :'item_key' %s %(x)s {0}",
    "terminal": "\x1b[2J\x1b]0;title\x07 \x9b31m \x7f\x08",
    "right to left": "\u202e\u2066abc",
    "beyond 16 bits": "😀\U000e0001",
    "option": "--dry-run",
    "markup": "[/red]",
    "long": "ü" * 1000,
}
DONE = "UPDATE thing SET dirty = FALSE WHERE key = :'item_key'"
FAILS = "SELECT CAST(:'item_key' || 'x' AS date)"


@pytest.fixture
def tally(tally: Tally) -> Tally:
    """Without an index on its keys, which has a limit of its own."""
    tally.connection.execute("ALTER TABLE thing DROP CONSTRAINT thing_pkey")
    tally.write("process.sql", DONE)
    return tally


def keys(tally: Tally, query: str) -> set[str]:
    return {str(key) for (key,) in tally.connection.execute(query.encode())}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_any_key_can_be_asked_for_by_name(tally: Tally, key: str) -> None:
    tally.add(key, "bystander")
    tally.run(f"--thing={key}", "--log-format=json").ended(0, done=1)
    assert keys(tally, "SELECT key FROM thing WHERE dirty") == {"bystander"}
    assert keys(tally, "SELECT item_key FROM etl.attempt") == {key}


def test_any_key_is_listed_done_and_recorded(tally: Tally) -> None:
    tally.add(*KEYS.values())
    tally.write("process.sql", DONE.replace("FALSE", "FALSE, seen = :'tags'"))
    tally.run("--workers=2").told(done=len(KEYS))
    assert keys(tally, "SELECT key FROM thing WHERE dirty OR seen <> tags") == set()
    assert keys(tally, "SELECT item_key FROM etl.attempt") == set(KEYS.values())


@pytest.mark.parametrize("arguments", [[], ["--log-format=json"]], ids=["text", "json"])
def test_any_key_that_fails_is_one_harmless_line_and_held(
    tally: Tally, arguments: list[str]
) -> None:
    tally.add(*KEYS.values())
    tally.write("process.sql", FAILS)
    ran = tally.run("--workers=2", *arguments).ended(1, failed=len(KEYS))
    assert is_harmless(ran)
    # Not splitlines(): that also splits where no other program sees an end of line.
    lines = [line for line in ran.err.split("\n") if "22007" in line]
    assert len(lines) == len(KEYS)
    if arguments:
        assert {json.loads(line)["item_key"] for line in lines} == set(KEYS.values())
    assert keys(tally, "SELECT item_key FROM etl.held_item") == set(KEYS.values())


def test_a_key_that_the_ledger_could_not_hold_is_refused_before_any_work(tally: Tally) -> None:
    tally.add("ü" * 1000 + "!", "a")
    ran = tally.run().ended(2, "a text of at most 2,000 bytes", done=0)
    assert len(ran.err) < 1000
    assert keys(tally, "SELECT job FROM etl.cycle WHERE finished_at IS NULL") == set()


def test_the_longest_key_can_be_held_however_little_it_can_be_compressed(tally: Tally) -> None:
    digits = b"".join(sha512(bytes([number])).digest() for number in range(64))
    key = "".join(chr(byte % 94 + 33) for byte in digits)[:2000]
    tally.add(key)
    tally.write("process.sql", FAILS)
    assert tally.run().status == 1
    assert keys(tally, "SELECT item_key FROM etl.held_item") == {key}


def test_a_key_asked_for_by_name_may_be_longer(tally: Tally) -> None:
    key = "ü" * 60_000
    tally.add(key)
    assert tally.run(f"--thing={key}").record["done"] == 1
