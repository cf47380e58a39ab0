"""A TOML file whose mistakes are errors that name file and line."""

import re
import tomllib
from pathlib import Path
from typing import Any

from etl.errors import FileError, UsageError
from etl.settings import duration_s
from etl.trust import read_file

_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


class TomlFile:
    """One that is read.

    Args:
        path: The file.

    Attributes:
        path: The file.
        table: What it says.

    Raises:
        FileError: It is missing or broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = _read(path)
        self.table = _parse(path, self._text)

    def section(self, name: str, known: dict[str, Any]) -> dict[str, Any]:
        """A table, with the defaults of what it does not say."""
        given = self.table.get(name, {})
        self.check_keys(given, {key: type(value) for key, value in known.items()}, name)
        return {**known, **given}

    def check_keys(self, table: dict[str, Any], known: dict[str, type], section: str = "") -> None:
        """See to it that a table has only these keys, each with a value of its type."""
        for key, value in table.items():
            if key not in known:
                problem = f"is unknown; known are: {', '.join(known)}"
                raise self.wrong(key, problem, section)
            is_number = known[key] is float and type(value) is int
            if type(value) is not known[key] and not is_number:
                raise self.wrong(key, f"must be {_KINDS[known[key]]}", section)

    def duration(
        self, key: str, value: str, section: str = "defaults", *, may_be_0: bool = False
    ) -> float:
        """A duration such as 500ms, in seconds."""
        if may_be_0 and value == "0s":
            return 0.0
        try:
            return duration_s(key, value)
        except UsageError:
            problem = "must be a duration such as 500ms, 60s, 5min"
            raise self.wrong(key, problem, section) from None

    def wrong(self, key: str, problem: str, section: str = "") -> FileError:
        """The error for what is said about a key."""
        text = self._text
        head = re.search(rf"^\s*\[{section}\]", text, re.MULTILINE) if section else None
        start = head.end() if head else 0
        pattern = re.compile(rf"^[^=#\n]*?\b{re.escape(key)}\b", re.MULTILINE)
        found = pattern.search(text, start)
        line = text.count("\n", 0, found.end()) + 1 if found else 1
        return FileError(self.path, line, f"{key[:60]} {problem}", "Correct this line.")


def is_line(text: str) -> bool:
    """Whether a text is one line without control characters."""
    return text != "" and text.isprintable()


def _read(path: Path) -> str:
    try:
        return read_file(path).decode()
    except OSError as error:
        raise FileError(path, None, str(error.strerror), "Every job has a job.toml.") from error
    except UnicodeDecodeError as error:
        raise FileError(path, None, "not UTF-8", "Save the file as UTF-8.") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of a number, or of brackets, without end
        found = re.search(r"\(at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        reason = str(error).split(" (at ")[0]
        raise FileError(path, line, reason, "See https://toml.io for the notation.") from error
