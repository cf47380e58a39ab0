"""Waits until something is written in a folder, or a process ends: Linux's inotify and pidfd."""

import ctypes
import os
import select
from pathlib import Path

_CREATED, _MODIFIED = 0x100, 0x2
_EVENTS = 1 << 16


class Watch:
    """Folders that are watched, while entered."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def add(self, folder: Path) -> None:
        """Wake up when a file of this folder is made or written."""
        name = os.fsencode(folder)
        if self._libc.inotify_add_watch(self._descriptor, name, _CREATED | _MODIFIED) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(folder))

    def wait(self, pidfd: int) -> None:
        """Wait for something in the folders, or for the end of a process."""
        ready, _, _ = select.select([self._descriptor, pidfd], [], [])
        if self._descriptor in ready:
            os.read(self._descriptor, _EVENTS)
