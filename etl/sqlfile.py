"""SQL files that run unmodified in psql, read so that their variables become parameters.

psql pastes ``:name`` as it is, ``:'name'`` as a literal. Here both become a real parameter,
``$1`` and so on, and the value never becomes part of the statement. As in psql, nothing is
a variable inside quotes, dollar quotes and comments, nor after another colon (a cast).

Source: PostgreSQL manual, psql, "SQL Interpolation", and "Lexical Structure".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from etl.errors import FileError
from etl.folders import sql_folder
from etl.trust import read_file

_TOKEN = re.compile(
    r"""
      (?P<comment>   --[^\n]* )
    | (?P<block>     /\* )
    | (?P<escaped>   \b[eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<quoted>    '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<dollar>    (?<![\w$]) \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? \$(?P=tag)\$ )
    | (?P<cast>      :: | := )
    | (?P<variable>  :(?:'(?P<literal>\w+)'|(?P<plain>[A-Za-z_]\w*)) )
    | (?P<identifier>:"\w+" )
    | (?P<end>       ; )
    | (?P<broken>    \b[eE]' | ['"] | (?<![\w$]) \$(?:[^\W\d]\w*)?\$ )
    | (?P<word>      [^\W\d]\w* )
    | (?P<paren>     [()] )
    | (?P<other>     \S )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_REFUSED = {
    "identifier": ("would paste a name into the statement", "Write the name itself."),
    "broken": ("is never closed", "Close the quote."),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a file, its variables numbered as parameters.

    Attributes:
        path: The file.
        line: The line on which it begins, from 1.
        text: The statement with ``$1``, ``$2``, … in place of the variables.
        names: The variable behind each parameter, ``$1`` first.
        source: The statement as the file has it.
    """

    path: Path
    line: int
    text: bytes
    names: tuple[str, ...]
    source: str

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """The values of the parameters, ``$1`` first.

        Raises:
            FileError: The statement has a variable of which there is no value.
        """
        for name in self.names:
            if name not in values:
                known = ", ".join(f":{known}" for known in sorted(values))
                raise FileError(
                    self.path,
                    self.line_of(name),
                    f"unknown variable :{name}",
                    f"Known here: {known}. Put a space behind the colon of an array slice.",
                )
        return [values[name] for name in self.names]

    @property
    def pasted(self) -> set[str]:
        """The variables whose values psql pastes into the statement as they are: ``:name``."""
        return {token["plain"] for token in _variables(self.source) if token["plain"]}

    def line_of(self, name: str) -> int:
        """The line of the file on which a variable stands first."""
        if name not in self.names:
            return self.line
        place = next(m for m in _variables(self.source) if name in (m["literal"], m["plain"]))
        return self.line + self.source.count("\n", 0, place.start())

    def line_at(self, position: int) -> int:
        """The line of the file for a character position of ``text``, both from 1."""
        return self.line + self.text.decode().count("\n", 0, position - 1)


def read_text(path: Path) -> str:
    """The text of an SQL file, lines ended by LF.

    Raises:
        FileError: It cannot be read, or is not UTF-8.
    """
    try:
        content = read_file(path)
    except OSError as error:
        raise FileError(path, None, str(error.strerror), "The file is needed.") from error
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError(path, line, "not UTF-8", "Save the file as UTF-8.") from error


def statements(path: Path, text: str | None = None) -> list[Statement]:
    """All statements of an SQL file.

    Args:
        path: The file.
        text: Its text, where it has been read already.

    Raises:
        FileError: It cannot be read, or a quote or comment is never closed.
    """
    text = read_text(path) if text is None else text
    return list(_split(path, text))


@cache
def shipped(name: str) -> Statement:
    """The one statement of a shipped file below ``sql/engine``, such as ``ledger/open_cycle``."""
    return single(sql_folder() / "engine" / f"{name}.sql")


def single(path: Path) -> Statement:
    """The one statement of an SQL file.

    Raises:
        FileError: There is none, or a second one.
    """
    found = statements(path)
    if not found:
        raise FileError(path, None, "holds no statement", "Write the one statement it is for.")
    if len(found) > 1:
        raise FileError(
            path,
            found[1].line,
            "a second statement begins here",
            "One statement is one transaction; put the others into a procedure.",
        )
    return found[0]


def _split(path: Path, text: str) -> Iterator[Statement]:
    draft = _Draft()
    position = 0
    while token := _TOKEN.search(text, position):
        kind = token.lastgroup
        position = token.end()
        if token["comment"]:
            continue
        if token["block"]:
            position = _block_end(path, text, token.start())
            continue
        if kind in _REFUSED:
            problem, hint = _REFUSED[kind]
            raise FileError(path, _line(text, token.start()), f"{token[0]} {problem}", hint)
        if token["end"] and draft.depth == draft.parens == 0:
            if draft.start is not None:
                yield draft.finish(path, text, token.start())
            draft = _Draft()
            continue
        draft.add(token)
    if draft.start is not None:
        yield draft.finish(path, text, len(text))


def _variables(text: str) -> Iterator[re.Match[str]]:
    position = 0
    while token := _TOKEN.search(text, position):
        position = token.end()
        if token["block"]:
            position = _block_end(Path(), text, token.start())
        elif token["variable"]:
            yield token


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _block_end(path: Path, text: str, start: int) -> int:
    """Where a comment ends, with the comments that are nested in it."""
    depth, position = 0, start
    while edge := _BLOCK_EDGE.search(text, position):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
        if depth == 0:
            return position
    raise FileError(path, _line(text, start), "the comment is never closed", "Close it with */.")


class _Draft:
    """A statement while it is being read."""

    def __init__(self) -> None:
        self.start: int | None = None
        self.depth = 0
        self.parens = 0
        self._variables: list[tuple[int, int, str]] = []
        self._words: list[str] = []

    def add(self, token: re.Match[str]) -> None:
        if self.start is None:
            self.start = token.start()
        if token["variable"]:
            name = token["literal"] or token["plain"]
            self._variables.append((token.start(), token.end(), name))
        elif token["paren"]:
            self.parens = max(0, self.parens + (1 if token[0] == "(" else -1))
        elif token["word"]:
            self._follow(token["word"].upper())

    def _follow(self, word: str) -> None:
        """Count BEGIN ATOMIC … END, whose semicolons end no statement (as psql does)."""
        if len(self._words) < 4:
            self._words.append(word)
        is_routine = self._words[0] == "CREATE" and (
            "FUNCTION" in self._words or "PROCEDURE" in self._words
        )
        if (is_routine and word == "BEGIN") or (self.depth and word == "CASE"):
            self.depth += 1
        elif self.depth and word == "END":
            self.depth -= 1

    def finish(self, path: Path, text: str, end: int) -> Statement:
        start = self.start or 0
        numbers: dict[str, int] = {}
        parts: list[str] = []
        copied = start
        for begin, stop, name in self._variables:
            number = numbers.setdefault(name, len(numbers) + 1)
            parts += [text[copied:begin], f"${number}"]
            copied = stop
        parts.append(text[copied:end])
        return Statement(
            path=path,
            line=_line(text, start),
            text="".join(parts).rstrip().encode(),
            names=tuple(numbers),
            source=text[start:end].rstrip(),
        )
