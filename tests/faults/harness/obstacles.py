"""What can stand in the way of a file: no space, no permission, another's lock. Each can be lifted."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

import sqlalchemy as sa

from assetflow.store.sql import SqlStore

__all__ = ["OBSTACLES", "SMALL", "Obstacle", "become", "small_disk"]

SMALL = "16m"
"""Size of the small disk."""
_PAGES, _BYTES = 25, 400_000
_NOBODY = 65534


class Obstacle:
    """Something in the way.

    Args:
        lift: Removes it.
    """

    def __init__(self, lift: Callable[[], object]) -> None:
        self._lift = lift
        self.lifted = False

    def __call__(self) -> None:
        self._lift()
        self.lifted = True


def become(user: bool) -> None:  # from JSON
    """Give up the right to write everywhere, where the process has it."""
    if user and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def few_pages(store: SqlStore) -> Obstacle:
    """SQLite's own limit on the size of a database."""

    def limit(pages: int) -> None:
        engine = store.library.engine

        def set_limit(connection: sqlite3.Connection, _: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        sa.event.listen(engine.sa_engine, "connect", set_limit)
        _begin_anew(store)

    with sqlite3.connect(_path(store)) as connection:
        used = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()
    limit(used + _PAGES)
    return Obstacle(lambda: limit(used + 100_000))


def short_files(store: SqlStore) -> Obstacle:
    """The system's limit on the size of a file: a write beyond it fails."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = [Path(f"{_path(store)}{end}").stat().st_size for end in ("", "-wal")]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) + _BYTES, hard))
    return Obstacle(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)))


def full_disk(store: SqlStore) -> Obstacle:
    """Something else fills the file system, which is a small one."""
    ballast = _path(store).parent / "ballast"
    free = shutil.disk_usage(ballast.parent).free
    ballast.write_bytes(bytes(free - _BYTES))
    return Obstacle(ballast.unlink)


def no_permission(store: SqlStore) -> Obstacle:
    """The file may not be written to. What has it open may go on, so it is opened again."""
    path = _path(store)
    path.chmod(0o444)
    _begin_anew(store)

    def lift() -> None:
        path.chmod(0o644)
        _begin_anew(store)

    return Obstacle(lift)


def held_lock(store: SqlStore) -> Obstacle:
    """Somebody else is in a write transaction and does not end it."""
    other = sqlite3.connect(_path(store), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def lift() -> None:
        other.execute("ROLLBACK")
        other.close()

    return Obstacle(lift)


OBSTACLES: Mapping[str, Callable[[SqlStore], Obstacle]] = MappingProxyType(
    {f.__name__: f for f in (few_pages, short_files, full_disk, no_permission, held_lock)}
)
"""Each by its name."""


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of a few megabytes, mounted for a block; whether it could be mounted."""
    with suppress(OSError):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)],
            check=False,
            capture_output=True,
        )
        if done.returncode == 0:
            try:
                yield True
            finally:
                subprocess.run(["umount", str(folder)], check=True)
            return
    yield False


def _path(store: SqlStore) -> Path:
    return Path(store.address.removeprefix("sqlite:///"))


def _begin_anew(store: SqlStore) -> None:
    """Have the store make new connections, as in a process that begins."""
    engine = store.library.engine
    engine._ready.clear()
    engine.sa_engine.dispose()
