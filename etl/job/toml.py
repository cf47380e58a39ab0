"""A TOML file whose mistakes are errors that name file and line."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etl.errors import FileError
from etl.job.key import MISSING, Key
from etl.trust import read_file


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

    def section(self, name: str, keys: Mapping[str, Key]) -> dict[str, Any]:
        """What a table says, and the defaults of what it does not, by the names of attributes.

        Args:
            name: Of the table, with dots between its parts; empty: the file itself.
            keys: All that it may have.
        """
        given = self.table
        for part in filter(None, name.split(".")):
            given = given.get(part, {})
        for key in given:
            if key not in keys:
                raise self.wrong(key, f"is unknown; known are: {', '.join(keys)}", name)
        found: dict[str, Any] = {}
        for key, known in keys.items():
            value = known.default
            if key in given:
                value = self.checked(key, given[key], known, name)
            elif value is MISSING:
                hint = f"Add a line such as {key} = …: {known.must}."
                raise FileError(self.path, self._line(name), f"{key} is missing", hint)
            found[f"{key}{known.unit}"] = value
        return found

    def checked(self, key: str, given: Any, known: Key, section: str = "") -> Any:
        """The value of a key; an error where it must be something else."""
        if not known.accepts(given):
            raise self.wrong(key, f"must be {known.must}", section)
        return known.convert(given)

    def wrong(self, key: str, problem: str, section: str = "") -> FileError:
        """The error for what is said about a key."""
        line = self._line(section, rf"^[^=#\n]*?\b{re.escape(key)}\b")
        return FileError(self.path, line, f"{key[:60]} {problem}", "Correct this line.")

    def _line(self, section: str, pattern: str = "") -> int:
        """The line on which a section begins, or where in it the pattern is found."""
        text = self._text
        head = re.search(rf"^\s*\[{re.escape(section)}\]", text, re.MULTILINE) if section else None
        start = head.end() if head else 0
        found = re.compile(pattern, re.MULTILINE).search(text, start)
        return text.count("\n", 0, found.end()) + 1 if found else 1


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
