"""The service: takes messages, hands them to workers, and sees to what became of them.

The package's docstring draws it. One thread for both sides, which never waits: not for the broker,
not for a worker.
"""

import time
from collections import deque
from collections.abc import Callable
from selectors import EVENT_READ

import pika
from pika.adapters.select_connection import IOLoop

from etl import db
from etl.errors import EtlError
from etl.events import WorkerFinished
from etl.job import Job
from etl.job.shape import Stream
from etl.model import Orders
from etl.queue import CLAIMED, DEFERRED, READY, RELEASED, Entry
from etl.stream import events
from etl.stream.address import Broker
from etl.stream.housekeeping import Housekeeper
from etl.stream.link import BrokerLink, Hooks
from etl.stream.message import NO_TEXT, Message
from etl.stream.record import StreamRecord
from etl.stream.settlement import Settlement
from etl.stream.shutdown import Shutdown
from etl.stream.topology import Topology
from etl.stream.worker import StreamWorker
from etl.stream.workers import Workers

_TICK_S = 0.2
_DEPTHS_S = 5.0
_STUCK_S = 30.0  # it goes round five times a second
_PROGRESS_S = 60.0


class Service:
    """One service of a stream.

    Args:
        job: Its job.
        stream: That of the job, with what the user said.
        target: The database.
        broker: The broker.
        record: Counts; workers and instance are set.
        emit: Told of everything that happens.
    """

    def __init__(
        self,
        job: Job,
        stream: Stream,
        target: db.Target,
        broker: Broker,
        record: StreamRecord,
        emit: events.Emit,
    ) -> None:
        self._job, self._target = job, target
        self._emit = emit
        self._broker, self._queue = broker, stream.queue
        self.record = record
        self._prefetch = stream.prefetch or record.workers
        self._loop = IOLoop()
        hooks = Hooks(self._on_open, self._on_lost, self._on_delivery, self._fail)
        self.link = BrokerLink(self._loop, broker, Topology(stream), self._prefetch, hooks)
        self._settlement = Settlement(self.link, stream, record, emit)
        self.metrics = self._settlement.metrics
        self._housekeeper = Housekeeper(target, job, stream, record.instance, self._later)
        self._workers = Workers(record.workers, self._prefetch, self._orders)
        self._shutdown = Shutdown(self.link, self._workers, record, emit)
        self._waiting: deque[Message] = deque()
        self._burials = 0
        self._begun = self._ticked_at = time.monotonic()
        self._told_settled = 0

    def _later(self, what: Callable[[], None]) -> None:
        """Do this in the loop; from any thread."""
        self._loop.add_callback_threadsafe(what)

    def _orders(self, number: int) -> Orders:
        return Orders(
            number=number,
            dsn=self._target.dsn,
            label=self._target.label,
            job_folder=str(self._job.folder),
            queue_folder="",
            parameters={"job": self._job.name, **self._job.values},
            instance=self.record.instance,
        )

    @property
    def is_ready(self) -> bool:
        """Whether both connections stand, and messages are taken."""
        return self.link.is_consuming and self._workers.is_ready and not self._housekeeper.trouble

    @property
    def trouble(self) -> str:
        """Why it is not ready, as far as that is known."""
        if self._shutdown.is_near:
            return "it is being stopped"
        if not self.link.is_open:
            reason = self.link.reason
            return "no connection to the broker" + (f": {reason}" if reason else " yet")
        return self._housekeeper.trouble or "no worker can take messages yet"

    @property
    def is_alive(self) -> bool:
        """Whether its loop goes round."""
        return time.monotonic() - self._ticked_at < _STUCK_S

    def run(self) -> None:
        """Run until a signal asks to stop.

        Raises:
            EtlError: It cannot go on.
        """
        record = self.record
        begun = (record.instance, record.workers, self._prefetch, self._queue)
        self._emit(events.ServiceStarted(*begun))
        with self._shutdown.signals:
            signals, said = self._shutdown.signals.fileno(), self._workers.selector.fileno()
            self._loop.add_handler(signals, self._on_signal, self._loop.READ)
            self._loop.add_handler(said, self._on_worker, self._loop.READ)
            self._housekeeper.start()
            self.link.connect()
            self._every(_TICK_S, self._tick)
            self._every(_DEPTHS_S, self.link.ask_depths)
            self._every(_PROGRESS_S, self._tell_progress)
            self._loop.start()
        self._housekeeper.stop()
        self._workers.selector.close()
        self._loop.close()
        record.duration_s = time.monotonic() - self._begun
        record.returned += record.in_hand  # it goes back with the connection
        error = self._shutdown.error
        record.stop_reason = "stopped" if error is None else error.message
        self._emit(events.ServiceStopped(record))
        if error is not None:
            raise error

    # What the broker says.

    def _on_open(self) -> None:
        self._emit(events.BrokerFound(self._broker.label))
        self._adjust()

    def _on_lost(self, again_in_s: float | None, unconfirmed: int) -> None:
        # All that is not acknowledged comes again by the next connection. What workers have in
        # hand they finish: when it comes again, it is known to be done.
        self.record.returned += len(self._waiting) + unconfirmed
        self._waiting.clear()
        if again_in_s is not None:
            self._emit(events.BrokerLost(self._broker.label, self.link.reason, again_in_s))

    def _on_delivery(self, tag: int, properties: pika.BasicProperties, body: bytes) -> None:
        self.record.received += 1
        message = Message(self.record.received, self.link.number, tag, properties, body)
        if "\0" in message.key or b"\0" in body:
            self._settlement.settle(0, message, NO_TEXT)
            return
        self._waiting.append(message)
        self._hand_out()

    # What the workers say.

    def _on_worker(self, *_: object) -> None:
        for key, mask in self._workers.selector.select(0):
            worker = key.data
            if key.fileobj is not worker.channel:
                if not worker.hear():
                    self._on_end(worker)
                continue
            if mask & EVENT_READ:
                self._follow(worker)
            worker.flush()

    def _follow(self, worker: StreamWorker) -> None:
        for entry in worker.listen():
            self._on_entry(worker, entry)
        self._hand_out()
        self._adjust()

    def _on_entry(self, worker: StreamWorker, entry: Entry) -> None:
        if entry.event == READY:
            worker.is_ready = True
            return
        position = entry.claim.position
        if entry.event == CLAIMED:
            worker.claimed = position
            return
        worker.claimed = None
        message = worker.sent.pop(position)
        if entry.event == RELEASED or entry.result is None:
            self._waiting.appendleft(message)
        elif entry.event == DEFERRED:
            self.metrics.count_error(entry.result)
            self._emit(events.MessageDeferred(worker.number, message.key, entry.result))
            self._waiting.appendleft(message)
        else:
            self._workers.note_done(worker.number)
            self._settlement.settle(worker.number, message, entry.result)

    def _on_end(self, worker: StreamWorker) -> None:
        """A worker has ended: what it had in hand counts, what it had not begun does not."""
        self._follow(worker)
        status, _ = self._workers.take_leave(worker)
        claimed = worker.sent.pop(worker.claimed, None) if worker.claimed is not None else None
        self._waiting.extendleft(reversed(worker.forget()))
        number, words = worker.number, worker.last_words()
        waits = self._workers.must_wait(worker, status)
        self._emit(WorkerFinished(number, status, is_replaced := status != 0 and not waits))
        self._burials += 1

        def buried() -> None:
            self._burials -= 1
            if claimed is not None:
                self._settlement.settle(number, claimed, worker.orphaned(status))
            if self._shutdown.is_near:
                return
            if waits:
                pause_s = self._workers.start_later(number)
                reason = words or f"exit status {status}"
                self._emit(events.WorkerDelayed(number, reason, pause_s))
            else:
                self._workers.start_now(number)

        # Else the server may still finish what the worker began, while another one begins it.
        if is_replaced or claimed is not None:
            self._housekeeper.end_session(number, buried)
        else:
            buried()
        self._hand_out()
        self._adjust()

    # What becomes of a message.

    def _hand_out(self) -> None:
        if self._shutdown.is_near or not self.link.is_consuming:
            self._give_back()
            return
        while self._waiting and (worker := self._workers.next()) is not None:
            message = self._waiting.popleft()
            if self._settlement.is_current(message):
                worker.send(message)
            else:  # it comes again by the new connection
                self._settlement.give_back(message)

    def _give_back(self) -> None:
        while self._waiting:
            self._settlement.give_back(self._waiting.pop())

    # When to take messages, and when to end.

    def _adjust(self) -> None:
        was = self.link.is_consuming
        is_wanted = not self._shutdown.is_near and self._workers.is_ready
        self.link.consume(is_wanted=is_wanted)
        if was != self.link.is_consuming and not self._shutdown.is_near:
            reason = "" if is_wanted else "no worker can take any"
            self._emit(events.ConsumingChanged(self.link.is_consuming, reason))
        if not is_wanted:
            self._give_back()

    def _on_signal(self, *_: object) -> None:
        self._shutdown.heed()
        self._adjust()

    def _fail(self, error: EtlError) -> None:
        self._shutdown.begin(error)
        self._adjust()

    def _every(self, seconds: float, action: Callable[[], None]) -> None:
        action()
        self._loop.call_later(seconds, lambda: self._every(seconds, action))

    def _tick(self) -> None:
        now = self._ticked_at = time.monotonic()
        self.record.duration_s = now - self._begun
        # Whom the database keeps waiting is not waited for: the broker delivers it again.
        is_waiting = self._burials > 0 and not self._housekeeper.trouble
        if self._shutdown.is_over(now, is_waiting=is_waiting):
            self._loop.stop()
        elif not self._shutdown.is_near:
            self._workers.start_due()

    def _tell_progress(self) -> None:
        if self.record.settled != self._told_settled:
            self._told_settled = self.record.settled
            self._emit(events.ServiceProgressed(self.record))
