"""The work queue: a frozen, ordered list of items that workers claim one at a time.

The database is the truth, the queue is a hint: losing it loses no work. Each cycle builds a
queue of its own, so that a worker which outlives its cycle never meets another one's items.
Every implementation has the interface of protocol.py and passes the same conformance tests.

States of an item, each move a line in the claim journal::

    queued --claim--> claimed --acknowledge--> done | failed | busy | orphaned
      ^                  |
      |                  +----- rest --> claimed  (a part has an outcome; see etl/keyrange.py)
      +----- release ----+      (no attempt came about; to the queue's end)
      +----- defer ------+      (it failed for now, or was too slow; to the queue's end)
      +------------ take back ---------- done  (a crash of the server undid the COMMIT)
"""

from etl.queue.file import FileQueue
from etl.queue.frame import Frame
from etl.queue.journal import CLAIMED, DEFERRED, READY, RELEASED, TAKEN_BACK, Entry, escape
from etl.queue.open_claims import OpenClaims, Settled
from etl.queue.pipe import Lines, PipeQueue, head
from etl.queue.protocol import Buildable, Claims, Queue, Watched
from etl.queue.rowlocks import RowQueue
from etl.queue.table import TableQueue

__all__ = [
    "CLAIMED",
    "DEFERRED",
    "READY",
    "RELEASED",
    "TAKEN_BACK",
    "Buildable",
    "Claims",
    "Entry",
    "FileQueue",
    "Frame",
    "Lines",
    "OpenClaims",
    "PipeQueue",
    "Queue",
    "RowQueue",
    "Settled",
    "TableQueue",
    "Watched",
    "escape",
    "head",
]
