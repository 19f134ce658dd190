"""What a forked child must leave alone."""

from __future__ import annotations

__all__ = ["keep_for_ever"]

_KEPT: list[object] = []


def keep_for_ever(thing: object) -> None:
    """Keep a parent's connection or pool from being closed in a forked child.

    SQLite's locks and shared memory belong to the process that opened the file. A child must
    neither use nor close what it inherited, and what nothing refers to any more is closed.
    """
    _KEPT.append(thing)
