"""What SQLite's errors mean, by their codes.

A driver's words are never shown: they may hold the values that were bound. The error that is
raised instead is made here and raised outside of the handler, so that the driver's own does not
hang on it as cause or context either.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile

from assetflow.errors import (
    AssetflowError,
    DuplicateKey,
    InvalidValue,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnavailable,
)

__all__ = ["sqlite_fault"]

_PRIMARY = 0xFF
_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_PROBE = 256 * 1024
_NEARLY = 64 * 1024

# Codes by number: https://www.sqlite.org/rescode.html
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN = 5, 6, 8, 10, 11, 13, 14
_TOOBIG, _CONSTRAINT, _MISMATCH, _NOTADB, _PERM, _AUTH = 18, 19, 20, 26, 3, 23
_FOREIGN_KEY, _PRIMARY_KEY, _ROWID, _TRIGGER, _UNIQUE = 787, 1555, 2579, 1811, 2067
_MOVED = 1032
_SPACE_IOERRS = {778, 1034, 1290, 1546, 4874}  # write, fsync, directory fsync, truncate, shm size


def sqlite_fault(problem: BaseException, path: str, kind: str | None = None) -> AssetflowError:
    """The typed error for one of SQLite's.

    Args:
        problem: What the driver raised.
        path: The database file.
        kind: The kind of record that was being written, where one was.
    """
    code = getattr(problem, "sqlite_errorcode", None)
    if code is None:
        if isinstance(problem, OverflowError | UnicodeError):
            return InvalidValue("a value that the database cannot hold", kind=kind)
        if isinstance(problem, sqlite3.ProgrammingError):
            return StoreUnavailable("the store is closed", hint="Open it again.")
        return StoreError(f"the database driver raised {type(problem).__name__}")
    if code & _PRIMARY == _CONSTRAINT:
        return _constraint(code, kind)
    return _state(code, path) or StoreError("the database refused a statement", sqlite=code)


def _constraint(code: int, kind: str | None) -> AssetflowError:
    if code in (_PRIMARY_KEY, _UNIQUE, _ROWID):
        what = f"a {kind} with that key or unique field" if kind else "a record with that key"
        return DuplicateKey(f"{what} exists already", kind=kind)
    if code == _FOREIGN_KEY:
        return InvalidValue(
            f"a {kind or 'record'} refers to what is not there, or something still refers to it",
            hint="Write what is referred to first, or in the same call.",
            kind=kind,
        )
    if code == _TRIGGER:
        return StoreError("the journal is only ever appended to", kind="journal")
    return InvalidValue("a value that the table does not allow", kind=kind, sqlite=code)


def _state(code: int, path: str) -> AssetflowError | None:
    primary = code & _PRIMARY
    if primary in (_BUSY, _LOCKED):
        return StoreLocked("another process holds the write lock", sqlite=code)
    if code == _MOVED:
        return StoreUnavailable("the file was moved or removed while it was open", sqlite=code)
    if primary in (_READONLY, _PERM, _AUTH):
        return StoreReadOnly("the file or its folder may not be written to", sqlite=code)
    if primary == _FULL or (code in _SPACE_IOERRS and _no_space(path)):
        return StoreFull("there is no space left for the database", sqlite=code)
    if primary in (_CORRUPT, _NOTADB):
        return StoreDamaged("the file is not a sound database", sqlite=code)
    if primary == _CANTOPEN:
        return _cannot_open(path, code)
    if primary == _IOERR:
        return StoreUnavailable(
            "the disk reports an error",
            hint="Look at the machine's own log; the disk may be failing.",
            sqlite=code,
        )
    if primary in (_TOOBIG, _MISMATCH):
        return InvalidValue("a value that the database cannot hold", sqlite=code)
    return None


def _cannot_open(path: str, code: int) -> AssetflowError:
    folder = os.path.dirname(path) or "."  # noqa: PTH120  # plain paths
    if os.path.exists(path) and not os.access(folder, os.W_OK):  # noqa: PTH110
        return StoreReadOnly("the database's folder may not be written to", sqlite=code)
    return StoreUnavailable("the database file cannot be opened", sqlite=code)


def _no_space(path: str) -> bool:
    """Whether a failed write failed for want of space, which SQLite's code alone does not say."""
    return _limit_reached(path) or _disk_full(path)


def _limit_reached(path: str) -> bool:
    """Whether the database or its log is as large as this process may make a file."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:  # pragma: no cover  # Windows
        return False
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY:
        return False
    for name in (path, f"{path}-wal", f"{path}-shm"):
        try:
            if os.stat(name).st_size + _NEARLY >= most:  # noqa: PTH116
                return True
        except OSError:
            continue
    return False


def _disk_full(path: str) -> bool:
    """Whether a little more can be written beside the database; a quota shows in no other way."""
    folder = os.path.dirname(path) or "."  # noqa: PTH120
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as problem:
        return problem.errno in _NO_SPACE
    return False
