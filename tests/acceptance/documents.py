"""Runs a document: what stands behind ``$`` in its console blocks, and compares what it shows.

A line ``…`` stands for any lines, ``…`` within one for anything. Durations, rates and dates differ
from run to run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import run_program

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEREDOC = re.compile(r"<<'(\w+)'")
_VARYING = (
    (re.compile(r"\d[\d,]*(?:\.\d+)? m?s\b"), "# s"),
    (re.compile(r"\d[\d,]*(?:\.\d+)?/s\b"), "#/s"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
)


@dataclass(frozen=True)
class Step:
    """A command and what the document shows of its output."""

    command: str
    shown: str


def steps(text: str) -> Iterator[Step]:
    """All commands of a document, in order."""
    for block in _BLOCK.finditer(text):
        lines = iter(block[1].splitlines())
        command, shown = "", list[str]()
        for line in lines:
            if not line.startswith("$ "):
                shown.append(line)
                continue
            if command:
                yield Step(command, "\n".join(shown))
            command, shown = line[2:], []
            heredoc = _HEREDOC.search(line)
            while heredoc and not command.endswith(f"\n{heredoc[1]}"):
                command += "\n" + next(lines)
        yield Step(command, "\n".join(shown))


def run(step: Step, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command in bash; what it exports is there for the next one. Returns its output."""
    kept = folder / ".exported"
    script = (
        f"[[ ! -e {kept} ]] || . {kept}\n{step.command}\nstatus=$?; export -p >{kept}\nexit $status"
    )
    done = run_program("bash", "-c", script, cwd=folder, env=environment, timeout=120)
    assert done.status == 0, f"$ {step.command}\n{done.out}{done.err}"
    return "\n".join(line.rstrip() for line in done.out.splitlines())


def is_as_shown(step: Step, output: str) -> bool:
    """Whether a command printed what the document shows."""
    wanted = re.escape(steady(step.shown))
    wanted = re.sub(r"^…\\\n", r"(?:.*\\n)*?", wanted, flags=re.MULTILINE).replace("…", ".*")
    return re.fullmatch(wanted, steady(output)) is not None


def steady(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
