"""The worker processes of a bench, and what is seen while they are at work.

They start once and do every run, the first so many of them; a run begins when all are told.
"""

import json
import os
import selectors
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

from etl import db
from etl.bench.report import Run, Tally
from etl.bench.waits import Load, Seen
from etl.crew.process import Process
from etl.errors import DatabaseUnreachableError, WorkerStartError, WorkerStoppedError
from etl.model import Orders
from etl.sqlfile import shipped

_SAMPLE_S = 0.1
_END_S = 7.0  # a worker gives its cancel request 5 s
_PROC_STAT = Path("/proc/stat")


class _Process(Process):
    """One of them; it answers on standard output.

    Args:
        orders: What it is told first.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, orders: Orders) -> None:
        super().__init__(module="etl.bench.worker", stdout=subprocess.PIPE)
        self.server_process = 0
        self._heard = b""
        self.stdout = cast(IO[bytes], self.popen.stdout)
        self.begin(orders)

    def answer(self) -> dict[str, Any] | None:
        """Its answer, where it is whole by now.

        Raises:
            EtlError: It has ended.
        """
        chunk = os.read(self.stdout.fileno(), 4096)
        self._heard += chunk
        if not chunk:
            raise self._why()
        if not self._heard.endswith(b"\n"):
            return None
        answer, self._heard = json.loads(self._heard), b""
        return cast(dict[str, Any], answer)

    def _why(self) -> WorkerStartError | WorkerStoppedError:
        while self.hear():
            pass
        status = self.popen.wait()
        found_no_server = status == DatabaseUnreachableError.exit_code
        kind = WorkerStartError if found_no_server else WorkerStoppedError
        what = self.last_words() or f"exit status {status}"
        return kind(f"worker {self.number} gave up: {what}", "Nothing was kept of what was done.")

    def dismiss(self) -> None:
        """Tell it that nobody waits any more: it cancels what it does, and ends."""
        with suppress(BrokenPipeError):
            self.stdin.close()

    def end(self) -> None:
        """Wait until it has ended; not for ever."""
        try:
            self.popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self.stdout.close()
        self.reap()


class Crew:
    """Worker processes, while it is entered.

    Args:
        connection: Looks at the server processes of theirs; in autocommit.
        orders: What they are told first, but for their numbers.
        size: How many there are.
    """

    def __init__(self, connection: db.Connection, orders: Orders, size: int) -> None:
        self._connection = connection
        self._orders = orders
        self._size = size
        self._processes: list[_Process] = []

    def __enter__(self) -> "Crew":
        try:
            for number in range(1, self._size + 1):
                self._processes.append(_Process(replace(self._orders, number=number)))
            for process, answer in self._answers(self._processes, lambda: None).items():
                process.server_process = int(answer["process"])
        except OSError as error:
            self._dismiss()
            raise WorkerStartError(f"cannot start a worker: {error.strerror}") from error
        except BaseException:
            self._dismiss()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._dismiss()

    def _dismiss(self) -> None:
        for process in self._processes:
            process.dismiss()
        for process in self._processes:
            process.end()

    def drain(self, workers: int, queue: Path, deadline: float, alone: Run | None) -> Run:
        """Drain a queue with some of them.

        Args:
            workers: How many.
            queue: Its folder.
            deadline: Claim nothing after it, of ``time.monotonic()``.
            alone: The run of one worker; None: this is it.

        Raises:
            EtlError: One of them ended.
        """
        chosen = self._processes[:workers]
        (is_local,) = db.one(self._connection, shipped("bench/is_local"))
        seen: Counter[Seen] = Counter()
        host_before = _host_ticks()
        begun = time.monotonic()
        for process in chosen:
            process.tell(json.dumps([str(queue), deadline]))
        answers = self._answers(chosen, lambda: seen.update(self._sample(chosen)))
        host_busy = _share(host_before, _host_ticks())
        told = list(answers.values())
        makespan_s = max(answer["ended_at"] for answer in told) - begun
        tally = Tally(
            **{name: sum(one[name] for one in told) for name in ("done", "failed", "busy")},
            failure=next((one["failure"] for one in told if one["failure"]), ""),
        )
        per_s = tally.items / makespan_s
        return Run(
            tally=tally,
            makespan_s=makespan_s,
            work_s=sum(answer["work_s"] for answer in told),
            longest_s=max(answer["longest_s"] for answer in told),
            is_whole=not any(answer["has_more"] for answer in told),
            load=Load(
                seen=seen,
                workers=workers,
                speed_up=per_s / alone.items_per_s if alone and alone.items_per_s else 1.0,
                client_busy=sum(answer["cpu_s"] for answer in told) / workers / makespan_s,
                host_busy=host_busy,
                is_local=is_local,
            ),
        )

    def _sample(self, processes: list[_Process]) -> Counter[Seen]:
        pids = [process.server_process for process in processes]
        rows = db.run(self._connection, shipped("bench/sample_backends"), pids=pids)
        return Counter({Seen(*seen): number for *seen, number in rows})

    def _answers(
        self, processes: list[_Process], on_tick: Callable[[], None]
    ) -> dict[_Process, dict[str, Any]]:
        """Wait for an answer of each, and look around ten times a second."""
        answers: dict[_Process, dict[str, Any]] = {}
        with selectors.DefaultSelector() as selector:
            for process in processes:
                selector.register(process.stdout, selectors.EVENT_READ, process)
            next_at = time.monotonic()
            while selector.get_map():
                for key, _ in selector.select(max(0.0, next_at - time.monotonic())):
                    answer = key.data.answer()
                    if answer is not None:
                        answers[key.data] = answer
                        selector.unregister(key.fileobj)
                if time.monotonic() >= next_at and selector.get_map():
                    on_tick()
                    next_at = time.monotonic() + _SAMPLE_S
        return answers


def _host_ticks() -> tuple[int, int] | None:
    """Ticks that the processors of this host were busy, and all; None where nobody tells."""
    try:
        with _PROC_STAT.open() as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
    except OSError:
        return None
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # less idle, and idle while a disk works


def _share(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    if before is None or after is None or after[1] == before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])
