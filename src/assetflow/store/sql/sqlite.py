"""SQLite as this store uses it: one file, write-ahead log, one writer at a time.

Connections are set up here. The driver begins no transaction of its own; reads begin deferred and
see one state, writes take the write lock when they begin, so that nothing read can be overtaken.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from assetflow.errors import (
    FeatureMissing,
    InvalidValue,
    PlaceTaken,
    StoreDamaged,
    StoreUnavailable,
)
from assetflow.store.ports import Durability, Wiped
from assetflow.store.sql.dialects import Engine
from assetflow.store.sql.faults import sqlite_fault
from assetflow.store.sql.forks import keep_for_ever
from assetflow.store.sql.locks import FairLock, lock_for
from assetflow.store.sql.row_security import NOWHERE, Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from assetflow.errors import AssetflowError

__all__ = ["SqliteEngine", "name_once"]

_KIB_CACHE = 32 * 1024
_LOG_LIMIT = 64 * 1024 * 1024
_STATEMENTS = 512
_SETUP = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA fullfsync = ON",  # where a plain fsync does not reach the disk: macOS
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA cache_size = -{_KIB_CACHE}",
    f"PRAGMA journal_size_limit = {_LOG_LIMIT}",
)
# What a commit waits for, and after how many pages of log the file itself is brought up to date:
# bulk work writes so much that doing it often costs more than a longer log.
_DURABILITY = {
    Durability.FULL: ("PRAGMA synchronous = FULL", "PRAGMA wal_autocheckpoint = 1000"),
    Durability.BULK: ("PRAGMA synchronous = NORMAL", "PRAGMA wal_autocheckpoint = 16000"),
}
_MODES = ("rwc", "rw", "ro")
_RETRY_SECONDS = 0.02
_SHORT_WAIT = 0.05


class SqliteEngine(Engine):
    """A district's file.

    Args:
        url: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``; ``?mode=ro`` only reads,
            ``?mode=rw`` makes no new file.
        lock_timeout: Seconds to wait for the write lock.

    Raises:
        FeatureMissing: a database in memory, which its connections could not share.
        InvalidValue: an option that is not known.
    """

    migrates_at_open = True
    locks_rows = False
    errors: tuple[type[BaseException], ...] = (
        sqlite3.Error,
        sa.exc.SQLAlchemyError,
        OverflowError,
        UnicodeError,
    )

    def __init__(self, url: sa.URL, *, lock_timeout: float) -> None:
        database = url.database or ""
        options = dict(url.query)
        mode = options.pop("mode", "rwc")
        if options or mode not in _MODES:
            msg = "a SQLite address takes one option, mode: rwc, rw or ro"
            raise InvalidValue(msg, hint="sqlite:///lincoln.db?mode=ro")
        if not database or ":memory:" in database or database.startswith("file:"):
            msg = "a SQLite store is a file; in memory, connections could not share it"
            raise FeatureMissing(
                msg, hint="Name a file: sqlite:///lincoln.db. In memory there is MemoryStore."
            )
        self.path: str = os.path.abspath(database)  # noqa: PTH100  # keeps `..` as the system reads it
        self.mode: str = str(mode)
        self.lock_timeout = lock_timeout
        self._closed = False
        self._lock: FairLock | None = None
        # Connections ready for the next transaction, the warmest last. The pool behind makes
        # them, and takes them back when they fail; going through it costs more than a read.
        self._ready: list[PoolProxiedConnection] = []
        self.sa_engine: sa.Engine = sa.create_engine(
            "sqlite://",
            creator=self.new_connection,
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=-1,
            pool_use_lifo=True,
            # A transaction that ends has always ended its statements itself.
            pool_reset_on_return=None,
            hide_parameters=True,
        )

    @property
    def address(self) -> str:
        """The file, as a URL."""
        return f"sqlite:///{self.path}"

    @property
    def read_only(self) -> bool:
        """Whether the address says so."""
        return self.mode == "ro"

    def new_connection(self) -> sqlite3.Connection:
        """A connection outside of the pool, set up like those in it."""
        folder = os.path.dirname(self.path)  # noqa: PTH120
        if not os.path.isdir(folder):  # noqa: PTH112
            msg = "the folder of the database file does not exist"
            raise StoreUnavailable(msg, hint="Make the folder, or correct the address.")
        connection = sqlite3.connect(
            f"{Path(self.path).as_uri()}?mode={self.mode}",
            uri=True,
            timeout=self.lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        try:
            for pragma in _SETUP:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    # --- transactions ---

    def connect(self) -> PoolProxiedConnection:
        """One that is ready, or a new one."""
        try:
            return self._ready.pop()
        except IndexError:
            return self.sa_engine.raw_connection()

    def release(self, connection: PoolProxiedConnection) -> None:
        """Keep it ready; close it when the store is closed."""
        if self._closed:
            connection.invalidate()
        # What a test wraps is not kept beyond its wrapping.
        if self._closed or not isinstance(connection, PoolProxiedConnection):
            connection.close()
        else:
            self._ready.append(connection)

    def begin_read(self, connection: PoolProxiedConnection, reach: Reach = NOWHERE) -> None:  # noqa: ARG002  # for servers
        """Deferred: the state is fixed by the first read."""
        driver: Any = connection.driver_connection
        _end_forgotten(driver)
        driver.execute("BEGIN")

    def writing(self) -> AbstractContextManager[float]:
        """The file's queue of writers in this process."""
        if self._lock is None:
            with suppress(OSError):
                self._lock = lock_for(self.path)
        if self._lock is None:
            msg = "the database file is not there"
            raise StoreUnavailable(msg)
        return self._lock.held(self.lock_timeout)

    def begin_write(
        self,
        connection: PoolProxiedConnection,
        durability: Durability,
        wait: float,
        reach: Reach = NOWHERE,  # noqa: ARG002  # for servers
    ) -> None:
        """Immediate: the write lock is had before anything is read."""
        driver: Any = connection.driver_connection
        _end_forgotten(driver)
        info = connection.info
        if info.get("durability") is not durability:
            for pragma in _DURABILITY[durability]:
                driver.execute(pragma)
            info["durability"] = durability
        shorter = wait < self.lock_timeout - _SHORT_WAIT
        if shorter:
            driver.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
        try:
            driver.execute("BEGIN IMMEDIATE")
        finally:
            if shorter:
                driver.execute(f"PRAGMA busy_timeout = {int(self.lock_timeout * 1000)}")

    def defer_references(self, cursor: Any, *, deferred: bool) -> None:
        """For this transaction; SQLite forgets it at the end."""
        cursor.execute(f"PRAGMA defer_foreign_keys = {'ON' if deferred else 'OFF'}")

    # --- statements ---

    def sorted_apart(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Written ``+column``: without statistics SQLite would rather walk the whole key in order."""
        return sa.sql.expression.UnaryExpression(column, operator=sa.sql.operators.custom_op("+"))

    def member_of(
        self, column: sa.ColumnElement[Any], members: sa.BindParameter[Any]
    ) -> sa.ColumnElement[bool]:
        """The list is JSON, which SQLite reads as a table: one bind, whatever its length."""
        listed = sa.func.json_each(members).table_valued("value")
        return column.in_(sa.select(listed.c.value))

    def list_value(self, members: list[Any]) -> str:
        """JSON."""
        return json.dumps(members)

    def exact_sum(
        self, column: sa.ColumnElement[Any]
    ) -> tuple[Sequence[sa.ColumnElement[Any]], Callable[..., int | None]]:
        """Upper and lower halves apart, because SQLite's sum ends at 64 bits with an error."""
        high = sa.func.sum(column.op(">>")(sa.literal_column("32")))
        low = sa.func.sum(column.op("&")(sa.literal_column("4294967295")))
        return (high, low), lambda h, w: None if h is None else (h << 32) + w

    # --- what went wrong ---

    def fault(self, problem: BaseException, kind: str | None = None) -> AssetflowError:
        """By SQLite's own codes."""
        if isinstance(problem, sa.exc.DBAPIError) and problem.orig is not None:
            problem = problem.orig
        return sqlite_fault(problem, self.path, kind)

    # --- the file ---

    def tables(self, connection: sa.Connection) -> set[str]:
        """Names of the tables and views that are there, but for SQLite's own."""
        names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        found = {str(row[0]) for row in connection.exec_driver_sql(names)}
        return {name for name in found if not name.startswith("sqlite_")}

    def settle_in(self) -> None:
        """Give the file its write-ahead log, once for its life.

        Two processes that switch at once are told "locked" without a wait, so the wait is here.

        Raises:
            StoreUnavailable: the file system cannot share a log between processes.
        """
        if self.read_only:
            return
        deadline = time.monotonic() + self.lock_timeout
        connection = self.sa_engine.raw_connection()
        try:
            mode = self._log_mode(connection.driver_connection, deadline)
        finally:
            connection.close()
        if mode != "wal":
            raise StoreUnavailable(
                "the file system cannot keep a write-ahead log",
                hint="Keep the file on a disk of this machine, not on a network share.",
            )

    def _log_mode(self, driver: Any, deadline: float) -> str:
        while True:
            try:
                return str(driver.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as problem:
                busy = problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
            time.sleep(_RETRY_SECONDS)

    @contextmanager
    def migration_lock(self, connection: sa.Connection) -> Iterator[None]:
        """The file's write lock; foreign keys are off meanwhile, for tables that are rebuilt."""
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        try:
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            yield
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise StoreDamaged("a migration would leave references without what they refer to")
            connection.connection.commit()
        finally:
            connection.connection.rollback()
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")

    def size(self) -> int:
        """Bytes of the file and its log."""
        found = 0
        for path in (self.path, f"{self.path}-wal"):
            with suppress(FileNotFoundError):
                found += os.stat(path).st_size  # noqa: PTH116  # a plain path is all there is
        return found

    def backup(self, revision: str, at: datetime) -> str:
        """Copy the file beside itself, whole, while others may read and write it.

        Args:
            revision: The revision that the copy holds.
            at: Now.

        Returns:
            The path of the copy.
        """
        path = f"{self.path}.backup-{revision}-{at:%Y%m%dT%H%M%SZ}"
        self.copy_to(path)
        return path

    def copy_to(self, path: str) -> None:
        """Copy the file, whole, while others may read and write it; one file, with no log beside it.

        It gets its name when it is whole, so that half a copy is never taken for one.

        Raises:
            PlaceTaken: there is something of that name.
        """
        if os.path.lexists(path):  # asked again at the end; here it saves the work
            raise _taken()
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  # as `self.path`
        # Nobody else may read it while it is made; then it is as open as the file itself.
        handle, part = tempfile.mkstemp(prefix=f"{name}.", suffix=".part", dir=folder)
        os.close(handle)
        source, copy = self.new_connection(), None
        try:
            copy = sqlite3.connect(part)
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            copy.close()
            shutil.copymode(self.path, part)
            name_once(part, path)
        finally:
            source.close()
            if copy is not None:
                copy.close()
            with suppress(OSError):
                os.unlink(part)  # noqa: PTH108  # half a copy is none

    def wipe_removed(self) -> Wiped:
        """Rewrite the file page by page, and empty its log.

        The copies that were made before migrations are named, and not touched.
        """
        connection = self.new_connection()
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = FILE")  # the whole file is written there once
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
        name = os.path.basename(self.path)  # noqa: PTH119
        whole = (f"the file {name}", f"the log {name}-wal")
        beside = Path(self.path).parent.iterdir()
        copies = sorted(p.name for p in beside if p.name.startswith(f"{name}.backup-"))
        away = [f"the copy {copy}" for copy in copies]
        away.append("copies made elsewhere, and blocks of the disk that the file no longer uses")
        if busy:
            why = "somebody is reading; close the others and do it again"
            return Wiped(not_reached=(*(f"{part}: {why}" for part in whole), *away))
        return Wiped(reached=whole, not_reached=tuple(away))

    def forked(self) -> None:
        """What was ready belongs to the parent."""
        keep_for_ever(self._ready)
        self._ready = []
        super().forked()

    def close(self) -> None:
        """The last connection of all processes brings the file up to date."""
        self._closed = True
        while self._ready:
            connection = self._ready.pop()
            connection.invalidate()  # not back to a pool that may be gone
            connection.close()
        self.sa_engine.dispose()


def name_once(part: str, path: str) -> None:
    """Give a file its name, unless another has it.

    Raises:
        PlaceTaken: another has.
    """
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not os.path.exists(path):  # noqa: PTH110  # as above
            os.rename(part, path)  # noqa: PTH104  # as above
            return
    else:
        return
    raise _taken()


def _taken() -> PlaceTaken:
    msg = "there is a file of that name"
    return PlaceTaken(msg, hint="Name another; none is overwritten.")


def _end_forgotten(driver: Any) -> None:
    """End what a transaction that was never ended has left on a connection."""
    if driver.in_transaction:
        driver.rollback()
