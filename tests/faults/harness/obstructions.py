"""A worker that meets an obstacle: it is told which, nothing is half done, and afterwards it goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from harness.books import Auditor
from harness.grounds import Ground, SqliteGround
from harness.nursery import Nursery
from harness.obstacles import small_disk
from harness.results import Result

__all__ = ["KINDS", "Kind", "obstruct", "small_ground"]

_BEFORE, _AFTER = 12, 12


@frozen
class Kind:
    """An obstacle, and what is expected of it."""

    fault: str
    """As printed."""
    code: str
    """The error that the worker gets."""
    user: bool = False
    """Whether the worker must be somebody without the right to write everywhere."""


KINDS = {
    "few_pages": Kind("full: the database's own limit", "store-full"),
    "short_files": Kind("full: the system's limit on a file", "store-full"),
    "full_disk": Kind("full: the file system", "store-full"),
    "no_permission": Kind("the file may not be written", "store-read-only", user=True),
    "held_lock": Kind("another process keeps the lock", "store-locked"),
}


def obstruct(ground: SqliteGround, nursery: Nursery, name: str) -> Result:
    """Work, meet an obstacle, have it lifted, work on.

    Args:
        ground: An empty database.
        nursery: Forks the worker.
        name: The obstacle.
    """
    kind, begun = KINDS[name], time.monotonic()
    ground.settle(people=30, devices=24)
    with ground.open(actor="auditor") as district:
        auditor = Auditor(ground, district)
        if kind.user and os.geteuid() == 0:
            ground.give_away()
        worker = {
            "name": "w",
            "seed": f"{name}-1",
            "url": ground.url,
            "people": 30,
            "devices": 24,
            "obstacle": name,
            "user": kind.user,
            "before": _BEFORE,
            "after": _AFTER,
        }
        [told] = nursery.run("obstructed", [worker])
        assert told.code == 0, told
        auditor.settle([told])
        failed = [w[2] for w in told.words if w[0] == "done" and w[2][0] == "failed"]
        assert failed == [["failed", kind.code]], failed
        assert [w for w in told.words if w[0] == "read"] == [["read", "LHS-00000"]]
        assert auditor.acknowledged >= _AFTER
        auditor.audit()
    return Result.of(kind.fault, ground, auditor, "once", begun)


@contextmanager
def small_ground(folder: os.PathLike[str]) -> Iterator[Ground | None]:
    """A file on a file system of a few megabytes; ``None`` where none can be mounted."""
    with small_disk(folder) as mounted:
        yield SqliteGround(folder) if mounted else None
