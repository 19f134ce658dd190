"""What a forked child must leave alone.

SQLite's locks and shared memory belong to the process that opened the file. A child must neither
use nor close what it inherited, and what nothing refers to any more is closed.
"""

from __future__ import annotations

import os

__all__ = ["generation", "keep_for_ever"]

_KEPT: list[object] = []
_FORKS = [0]


def generation() -> int:
    """How many forks this process is away from the first: what is of another is not ours."""
    return _FORKS[0]


def keep_for_ever(thing: object) -> None:
    """Keep a parent's connection or pool from being closed in a forked child."""
    _KEPT.append(thing)


def _after_fork() -> None:
    _FORKS[0] += 1


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
