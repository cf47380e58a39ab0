"""The service: takes messages, hands them to workers, and tells the broker what became of them.

States of a message, as the broker sees it::

    delivered --done, or done before--> acknowledged
        |-----failed, busy, orphaned--> published to a queue that waits; confirmed; acknowledged
        |-----broken, or too often----> published to the dead letters;   confirmed; acknowledged
        +-----not attempted-----------> handed to another worker; when the service stops, given back

Whatever dies in between, the message is there once or twice, never not at all; and twice does no
harm, because its id is recorded in the transaction that stores it.
"""

import time
from collections import deque
from collections.abc import Callable

import pika
from pika.adapters.select_connection import IOLoop

from etl import db
from etl.errors import EtlError
from etl.events import WorkerFinished
from etl.job import Job
from etl.job.shape import Stream
from etl.model import Orders, Outcome, Result
from etl.queue import CLAIMED, DEFERRED, READY, RELEASED, Entry
from etl.stream import events
from etl.stream.address import Broker
from etl.stream.clerk import Clerk
from etl.stream.ending import Ending
from etl.stream.hands import Hand
from etl.stream.link import BrokerLink, Hooks
from etl.stream.message import NO_TEXT, Message, delivered
from etl.stream.numbers import Numbers
from etl.stream.record import StreamRecord
from etl.stream.rota import Rota
from etl.stream.settling import Settler
from etl.stream.topology import Topology

_TICK_S = 0.2
_DEPTHS_S = 5.0
_STUCK_S = 30.0  # it goes round five times a second
_PROGRESS_S = 60.0


class Service:
    """One service of a stream.

    Args:
        job: Its job; has a stream.
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
        self.numbers = Numbers(job.name)
        hooks = Hooks(self._on_open, self._on_lost, self._on_delivery, self._fail)
        self.link = BrokerLink(self._loop, broker, Topology(stream), self._prefetch, hooks)
        self._settler = Settler(self.link, stream, record, self.numbers, emit)
        self.clerk = Clerk(target, job, record.instance, self._later)
        self._rota = Rota(record.workers, self._prefetch, self._orders)
        self._ending = Ending(self.link, self._rota, record, emit)
        self._waiting: deque[Message] = deque()
        self._burials = 0
        self._begun = time.monotonic()
        self._asked_at = self._told_at = self._ticked_at = self._begun
        self._told_settled = 0

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

    def _later(self, what: Callable[[], None]) -> None:
        """Do this in the loop; from any thread."""
        self._loop.add_callback_threadsafe(what)

    @property
    def is_ready(self) -> bool:
        """Whether both connections stand, and messages are taken."""
        return self.link.is_consuming and self._rota.is_ready and self.clerk.is_connected

    @property
    def trouble(self) -> str:
        """Why it is not ready, as far as that is known."""
        if self._ending.is_near:
            return "it is being stopped"
        if not self.link.is_open:
            return "no connection to the broker"
        return self.clerk.reason or "no connection to the database yet"

    @property
    def is_alive(self) -> bool:
        """Whether its loop goes round."""
        return time.monotonic() - self._ticked_at < _STUCK_S

    def run(self) -> StreamRecord:
        """Run until a signal asks to stop.

        Raises:
            EtlError: It cannot go on.
        """
        record = self.record
        begun = (record.instance, record.workers, self._prefetch, self._queue)
        self._emit(events.ServiceStarted(*begun))
        with self._ending.signals:
            self._loop.add_handler(self._ending.signals.fileno(), self._on_signal, self._loop.READ)
            self._loop.add_handler(self._rota.selector.fileno(), self._on_worker, self._loop.READ)
            self.clerk.start()
            self.link.connect()
            self._tick()
            self._loop.start()
        self.clerk.stop()
        self._rota.selector.close()
        self._loop.close()
        record.duration_s = time.monotonic() - self._begun
        record.stop_reason = "stopped" if self._ending.error is None else self._ending.error.message
        self._emit(events.ServiceStopped(record))
        if self._ending.error is not None:
            raise self._ending.error
        return record

    # What the broker says.

    def _on_open(self) -> None:
        self._emit(events.BrokerFound(self._broker.label))
        self._adjust()

    def _on_lost(self, reason: str, again_in_s: float) -> None:
        # All that is not acknowledged comes again by the next connection. What workers have in
        # hand they finish: when it comes again, it is known to be done.
        self.record.returned += len(self._waiting)
        self._waiting.clear()
        if reason:
            self._emit(events.BrokerLost(self._broker.label, reason, again_in_s))

    def _on_delivery(self, tag: int, properties: pika.BasicProperties, body: bytes) -> None:
        self.record.received += 1
        message = delivered(self.record.received, self.link.number, tag, properties, body)
        if "\0" in message.key or b"\0" in body:
            self._settler.failed(0, message, NO_TEXT)
            return
        self._waiting.append(message)
        self._hand_out()

    # What the workers say.

    def _on_worker(self, *_: object) -> None:
        for key, mask in self._rota.selector.select(0):
            hand = key.data
            if key.fileobj is not hand.channel:
                if not hand.hear():
                    self._on_end(hand)
            elif mask == 2:  # selectors.EVENT_WRITE: there is room in the socket again
                hand.flush()
            else:
                self._follow(hand)
                hand.flush()

    def _follow(self, hand: Hand) -> None:
        for entry in hand.listen():
            self._on_entry(hand, entry)
        self._hand_out()
        self._adjust()

    def _on_entry(self, hand: Hand, entry: Entry) -> None:
        if entry.event == READY:
            hand.is_ready = True
            return
        position = entry.claim.position
        if entry.event == CLAIMED:
            hand.claimed = position
            return
        hand.claimed = None
        message = hand.sent.pop(position)
        if entry.event == RELEASED or entry.result is None:
            self._waiting.appendleft(message)
        elif entry.event == DEFERRED:
            self.numbers.count_error(entry.result)
            self._emit(events.MessageDeferred(hand.number, message.key, entry.result))
            self._waiting.appendleft(message)
        elif entry.result.outcome is Outcome.DONE:
            self._rota.note_done(hand.number)
            self._settler.done(message, entry.result)
        else:
            self._rota.note_done(hand.number)
            self._settler.failed(hand.number, message, entry.result)

    def _on_end(self, hand: Hand) -> None:
        """A worker has ended: what it had in hand counts, what it had not begun does not."""
        self._follow(hand)
        status = self._rota.take_leave(hand)
        claimed = hand.sent.pop(hand.claimed, None) if hand.claimed is not None else None
        self._waiting.extendleft(reversed(hand.forget()))
        number, words = hand.number, hand.last_words()
        waits = self._rota.must_wait(hand, status)
        self._emit(WorkerFinished(number, status, is_replaced := status != 0 and not waits))
        self._burials += 1

        def buried() -> None:
            self._burials -= 1
            if claimed is not None:
                how = f"died of signal {-status}" if status < 0 else "died"
                told = f"its worker {how}" + (f": {words}" if words else "")
                self._settler.failed(number, claimed, Result(Outcome.ORPHANED, message=told))
            if self._ending.is_near:
                return
            if waits:
                pause_s = self._rota.start_later(number)
                reason = words or f"exit status {status}"
                self._emit(events.WorkerDelayed(number, reason, pause_s))
            else:
                self._rota.start_now(number)

        # Else the server may still finish what the worker began, while another one begins it.
        if is_replaced or claimed is not None:
            self.clerk.end_session(number, buried)
        else:
            buried()
        self._hand_out()
        self._adjust()

    # What becomes of a message.

    def _hand_out(self) -> None:
        if self._ending.is_near or not self.link.is_consuming:
            self._give_back()
            return
        while self._waiting and (hand := self._rota.next()) is not None:
            message = self._waiting.popleft()
            if self._settler.is_current(message):
                hand.send(message)
            else:  # it comes again by the new connection
                self._settler.give_back(message)

    def _give_back(self) -> None:
        while self._waiting:
            self._settler.give_back(self._waiting.pop())

    # When to take messages, and when to end.

    def _adjust(self) -> None:
        was = self.link.is_consuming
        is_wanted = not self._ending.is_near and self._rota.is_ready
        self.link.consume(is_wanted=is_wanted)
        if was != self.link.is_consuming and not self._ending.is_near:
            reason = "" if is_wanted else "no worker can take any"
            self._emit(events.ConsumingChanged(self.link.is_consuming, reason))
        if not is_wanted:
            self._give_back()

    def _on_signal(self, *_: object) -> None:
        self._ending.heed()
        self._adjust()

    def _fail(self, error: EtlError) -> None:
        self._ending.begin(error)
        self._adjust()

    def _tick(self) -> None:
        now = self._ticked_at = time.monotonic()
        self.record.duration_s = now - self._begun
        if self._ending.is_over(now, is_waiting=self._burials > 0):
            self._loop.stop()
            return
        if not self._ending.is_near:
            self._rota.start_due()
        if now - self._asked_at > _DEPTHS_S:
            self._asked_at = now
            self.link.ask_depths()
        if now - self._told_at > _PROGRESS_S:
            self._told_at = now
            if self.record.settled != self._told_settled:
                self._told_settled = self.record.settled
                self._emit(events.ServiceProgressed(self.record))
        self._loop.call_later(_TICK_S, self._tick)
