"""One writer at a time within a process, in the order in which they came.

SQLite lets one connection write and makes the others sleep and look again, so that with many
threads one of them may sleep for seconds while others pass it. Threads of one process wait here
instead, in a queue, and only processes meet in SQLite.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from weakref import WeakValueDictionary

from assetflow.errors import StoreLocked

__all__ = ["FairLock", "lock_for"]


class FairLock:
    """A lock that is given in the order in which it was asked for."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._inner = threading.Lock()
        self._queue: deque[threading.Lock] = deque()
        self._owner: int | None = None

    def acquire(self, timeout: float) -> bool:
        """Take the lock, after those who asked before.

        Args:
            timeout: Seconds to wait.

        Returns:
            Whether it was had.

        Raises:
            StoreLocked: this thread has it already, and would wait for itself.
        """
        me = threading.get_ident()
        with self._inner:
            if self._owner is None:
                self._owner = me
                return True
            if self._owner == me:
                msg = "this thread is in a write transaction already"
                raise StoreLocked(msg, hint="End one write transaction before you begin another.")
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        if turn.acquire(timeout=max(timeout, 0)):
            self._owner = me
            return True
        with self._inner:
            if turn in self._queue:
                self._queue.remove(turn)
                return False
        # It was handed over between the end of the wait and here.
        self._owner = me
        return True

    def release(self) -> None:
        """Give it to whoever has waited longest."""
        with self._inner:
            if self._queue:
                # Still held: the next one takes it over, and nobody can come between.
                self._owner = -1
                self._queue.popleft().release()
            else:
                self._owner = None

    def held(self, timeout: float) -> Held:
        """Hold it for a block, which gets the seconds that are left of the wait."""
        return Held(self, timeout)

    def after_fork(self) -> None:
        """Begin anew in a forked child: whoever held it there does not live here."""
        self._start()


class Held:
    """A block that holds a lock.

    Args:
        lock: The lock.
        timeout: Seconds to wait.
    """

    __slots__ = ("_lock", "_timeout")

    def __init__(self, lock: FairLock, timeout: float) -> None:
        self._lock = lock
        self._timeout = timeout

    def __enter__(self) -> float:
        """The seconds that are left of the wait.

        Raises:
            StoreLocked: not had in time.
        """
        began = time.monotonic()
        if not self._lock.acquire(self._timeout):
            msg = "another thread holds the write lock"
            raise StoreLocked(msg, waited_ms=int(self._timeout * 1000))
        return max(self._timeout - (time.monotonic() - began), 0.0)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


# One lock for each file, however many stores of this process have it open. Not a setting and
# not a state of any district: two stores on one file must meet somewhere.
_LOCKS: WeakValueDictionary[tuple[int, int], FairLock] = WeakValueDictionary()
_GUARD = threading.Lock()


def lock_for(path: str) -> FairLock:
    """The lock of a file that exists."""
    found = os.stat(path)  # noqa: PTH116  # a plain path, and nothing else of pathlib is needed
    with _GUARD:
        lock = _LOCKS.get((found.st_dev, found.st_ino))
        if lock is None:
            lock = _LOCKS[(found.st_dev, found.st_ino)] = FairLock()
        return lock


def _after_fork() -> None:
    global _GUARD  # noqa: PLW0603  # the parent's may be held by a thread that is not here
    _GUARD = threading.Lock()
    for lock in list(_LOCKS.values()):
        lock.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
