"""A cycle as cron starts it, followed through the journal that it writes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.chaos.plan import Fault
from tests.chaos.watch import Watch
from tests.conftest import REPOSITORY, run_program

AS_OF = "--as-of=2026-01-16"


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ChaosCycle:
    """One run of `etl datamart-users`, in the background while entered.

    Args:
        number: Names its output files.
        environment: Of its process; ETL_STATE_DIR is where its journal will be.
        workers: How many.
        output: Folder for what it says.
    """

    def __init__(
        self, number: int, environment: dict[str, str], workers: int, output: Path
    ) -> None:
        self._out = output / f"{number}.out"
        self._err = output / f"{number}.err"
        self._state = Path(environment["ETL_STATE_DIR"])
        self._before = set(self._folders())
        self._journal: Path | None = None
        self._read_up_to = 0
        self._watch = Watch()
        self._last_keys: list[int] = []
        self.faults: list[Fault] = []
        for folder in {path.parent for path in self._before}:
            self._watch.add(folder)
        command = [sys.executable, "-m", "etl", "datamart-users", AS_OF, "--json"]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, f"--workers={workers}", "--max-users=1000000"],
                env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                cwd=REPOSITORY, process_group=0, preexec_fn=_heed_interrupts,
            )  # fmt: skip
        self._pidfd = os.pidfd_open(self.process.pid)

    def __enter__(self) -> "ChaosCycle":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._pidfd)
        self._watch.__exit__(*error)

    def wait_for_claims(self, number: int) -> int:
        """Wait until so many further items are claimed. Returns fewer where it has ended."""
        seen = self._count_claims()
        while seen < number:
            if self.process.poll() is not None:
                return seen + self._count_claims()
            self._watch.wait(self._pidfd)
            seen += self._count_claims()
        return seen

    def wait(self) -> int:
        """Wait for its end. Returns the exit status; negative: the signal that killed it."""
        return self.process.wait()

    def workers(self) -> list[int]:
        return [int(pid) for pid in run_program("pgrep", "-P", str(self.process.pid)).out.split()]

    def last_keys(self) -> list[int]:
        """The users claimed last: in hand, or just done."""
        return list(self._last_keys)

    def record(self) -> dict[str, Any] | None:
        """The object with which its output ended; None where it had no time for it."""
        lines = self._out.read_text().splitlines()
        return dict(json.loads(lines[-1])) if lines else None

    def said(self) -> str:
        return self._err.read_text()

    def _folders(self) -> list[Path]:
        return list(self._state.glob("cycles/*/datamart_users/cycle-*"))

    def _count_claims(self) -> int:
        if self._journal is None:
            fresh = sorted(set(self._folders()) - self._before)
            if not fresh:
                return 0
            self._watch.add(fresh[0])
            self._journal = fresh[0] / "journal.tsv"
        try:
            with self._journal.open("rb") as file:
                file.seek(self._read_up_to)
                text = file.read()
        except FileNotFoundError:  # not yet, or the next cycle has closed it already
            return 0
        whole = text[: text.rfind(b"\n") + 1]
        self._read_up_to += len(whole)
        claims = [line.split(b"\t") for line in whole.splitlines() if b"\tclaimed\t" in line]
        self._last_keys = (self._last_keys + [int(fields[5]) for fields in claims])[-4:]
        return len(claims)
