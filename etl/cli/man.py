"""``etl man``: the manual page, from the texts that ``--help`` prints.

Source: groff_man(7). What a text holds is never a request: a leading dot or quote, a
backslash and every sign beyond ASCII are written as escapes.
"""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import typer

from etl import __version__
from etl.cli.exit_statuses import EXIT_STATUSES
from etl.cli.output import tell

_ESCAPED = {"\\": "\\e", "-": "\\-", "'": "\\(aq", '"': "\\(dq", "`": "\\(ga", "^": "\\(ha"}


def man(context: typer.Context) -> None:
    """Print the manual page, in troff: etl man | man -l -"""
    root = context.find_root()
    tell("\n".join(_page(root.command, root)))


def _page(program: Any, root: Any) -> Iterator[str]:
    today = datetime.now(UTC).date()
    yield f'.TH ETL 1 "{today}" "etl {_text(__version__)}" "User Commands"'
    yield ".SH NAME"
    yield f"etl \\- {_text(_paragraphs(program.help)[0]).removesuffix('.')}"
    yield ".SH SYNOPSIS"
    yield ".B etl"
    yield from _lines(" ".join(program.collect_usage_pieces(root)))
    yield ".SH OPTIONS"
    yield from _records(program, root)
    yield ".SH COMMANDS"
    yield from _commands(program, root, "etl")
    yield ".SH EXIT STATUS"
    for status, meaning in EXIT_STATUSES:
        yield from _item(status, meaning)


def _commands(group: Any, context: Any, name: str) -> Iterator[str]:
    """The commands of a group, and those of the groups among them."""
    for command_name in group.list_commands(context):
        command = group.get_command(context, command_name)
        if command is None or command.hidden:
            continue
        full = f"{name} {command_name}"
        inner = typer.Context(command, parent=context, info_name=command_name)
        is_group = hasattr(command, "commands")
        if not is_group or command.invoke_without_command:
            yield f".SS {_text(full)} {_text(' '.join(command.collect_usage_pieces(inner)))}"
            for number, paragraph in enumerate(_paragraphs(command.help)):
                yield from [".PP"] if number else []
                yield from _lines(paragraph)
            yield from _records(command, inner)
        if is_group:
            yield from _commands(command, inner, full)


def _records(command: Any, context: Any) -> Iterator[str]:
    """The arguments and options of a command, as its --help lists them."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[0] != "--help":
            yield from _item(*record)


def _item(tag: str, meaning: str) -> Iterator[str]:
    yield ".TP"
    yield f".B {_text(tag)}"
    yield from _lines(meaning or "\N{NO-BREAK SPACE}")


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in (text or "").split("\n\n") if part.strip()] or [""]


def _lines(text: str) -> Iterator[str]:
    whole = _text(" ".join(text.split()))
    for line in textwrap.wrap(whole, 76, break_long_words=False, break_on_hyphens=False):
        # At the start of a line a dot would make it a request.
        yield f"\\&{line}" if line.startswith(".") else line


def _text(text: str) -> str:
    """A text in which troff finds nothing but letters."""
    return "".join(_ESCAPED.get(c, c if c.isascii() else f"\\[u{ord(c):04X}]") for c in text)
