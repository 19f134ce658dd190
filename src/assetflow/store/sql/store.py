"""The store on SQL: transactions over one engine."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, cast

from assetflow.errors import StoreReadOnly, StoreUnavailable
from assetflow.store.hooks import tell
from assetflow.store.ports import Durability
from assetflow.store.schema import check_district
from assetflow.store.sql.across import figures_across
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.forks import keep_for_ever
from assetflow.store.sql.library import Library
from assetflow.store.sql.migrate import prepare_schema
from assetflow.store.sql.reading import SqlRead
from assetflow.store.sql.receiving import SqlReceive
from assetflow.store.sql.row_security import EVERYWHERE_HEADS, Reach
from assetflow.store.sql.writing import SqlWrite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from assetflow.model import Aggregate, DistrictId
    from assetflow.store.ports import CommitHook, StoreFeature, Wiped
    from assetflow.store.sql.dialects import Engine

__all__ = ["SqlStore"]

_STORES: weakref.WeakSet[SqlStore] = weakref.WeakSet()


class SqlStore:
    """Keeps districts in a SQL database. Safe to use from several threads and after a fork.

    Args:
        engine: The database.
        on_commit: Told after each commit that wrote something.
    """

    def __init__(self, engine: Engine, *, on_commit: CommitHook | None = None) -> None:
        self._engine = engine
        self._on_commit = on_commit
        self._library = Library(engine)
        self._closed = False
        # Weakly, so that reads which nobody ends give their connection back when they are gone.
        self._reading: weakref.WeakSet[SqlRead] = weakref.WeakSet()
        _STORES.add(self)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        on_commit: CommitHook | None = None,
        lock_timeout: float = 30.0,
        migrate: bool = True,
    ) -> SqlStore:
        """Open the store at an address; a SQLite file is made, or brought up to date, on the way.

        A file of an older version is copied beside itself first:
        ``lincoln.db.backup-0001-20260817T130500Z``.

        Args:
            url: ``sqlite:///lincoln.db``; ``?mode=ro`` only reads, ``?mode=rw`` makes no file.
            on_commit: Told after each commit that wrote something.
            lock_timeout: Seconds that a writer waits for another.
            migrate: Whether a file of an older version is brought up to date; if not, it is
                refused.

        Raises:
            ConfigError: an address of a kind that is not known.
            StoreUnavailable: the file cannot be opened, or holds another program's tables.
            StoreDamaged: the file is not a database.
            SchemaTooNew: a newer version of assetflow wrote it.
            SchemaOutdated: it is of an older version and may not be brought up to date.
        """
        engine = engine_for(url, lock_timeout=lock_timeout)
        try:
            prepare_schema(engine, migrate=migrate)
        except BaseException:
            engine.close()
            raise
        return cls(engine, on_commit=on_commit)

    @property
    def features(self) -> frozenset[StoreFeature]:
        """What the engine can do beyond the port."""
        return self._engine.features

    @property
    def address(self) -> str:
        """Where it is, without a password."""
        return self._engine.address

    def districts(self) -> list[DistrictId]:
        """The districts that have a journal here, sorted."""
        self.check()
        return self._engine.guarded(self._districts)

    def _districts(self) -> list[DistrictId]:
        engine = self._engine
        connection = engine.begun(lambda c: engine.begin_read(c, EVERYWHERE_HEADS))
        try:
            cursor = connection.cursor()
            cursor.execute(self._library.journal.districts.sql)
            found: list[Any] = [row[0] for row in cursor.fetchall()]
            cursor.close()
        finally:
            self._engine.give_up(connection)
        return sorted(found)

    def aggregate_across(
        self, districts: Sequence[DistrictId], aggregate: Aggregate[Any]
    ) -> dict[DistrictId, list[dict[str, Any]]]:
        """The figures of an aggregate for each of these districts, in one statement."""
        self.check()
        for district in districts:
            check_district(district)
        return figures_across(self._library, districts, aggregate)

    def read(self, district: DistrictId) -> ReadScope:
        """Begin consistent reads."""
        self.check()
        check_district(district)
        return ReadScope(self, district)

    def write(
        self, district: DistrictId, *, durability: Durability = Durability.FULL
    ) -> WriteScope:
        """Begin a transaction that commits when the block ends and rolls back when it raises.

        Raises:
            StoreLocked: no lock within the store's wait.
            StoreReadOnly: the store was opened for reading.
        """
        self._check_writable(district)
        return WriteScope(self, district, durability)

    def receive(
        self, district: DistrictId, *, durability: Durability = Durability.BULK
    ) -> ReceiveScope:
        """Begin to take in a part of a district; commits and rolls back as `write` does.

        Raises:
            PlaceTaken: the district is in use here.
            StoreLocked: no lock within the store's wait.
            StoreReadOnly: the store was opened for reading.
        """
        self._check_writable(district)
        return ReceiveScope(self, district, durability)

    def _check_writable(self, district: DistrictId) -> None:
        self.check()
        check_district(district)
        if self._engine.read_only:
            msg = "the store was opened for reading only"
            raise StoreReadOnly(msg, hint="Open it without mode=ro.")

    def wipe_removed(self) -> Wiped:
        """Rewrite the database, so that the bytes of removed values are in it no longer.

        Raises:
            StoreLocked: others use it all the time.
            StoreFull: no space for the rewriting.
            StoreReadOnly: the store was opened for reading.
        """
        self.check()
        if self._engine.read_only:
            msg = "the store was opened for reading only"
            raise StoreReadOnly(msg, hint="Open it without mode=ro.")
        with self._engine.writing():
            return self._engine.guarded(self._engine.wipe_removed)

    def close(self) -> None:
        """Let go of connections and files, also of those that a listing is read from.

        A write that another thread is in keeps its connection until its block ends. A second
        call does nothing.
        """
        if not self._closed:
            self._closed = True
            self._engine.close()
            for tx in list(self._reading):
                tx.abandon("the store was closed")

    def check(self) -> None:
        """Refuse further use once closed.

        Raises:
            StoreUnavailable: it is closed.
        """
        if self._closed:
            msg = "the store is closed"
            raise StoreUnavailable(msg, hint="Open it again.")

    @property
    def library(self) -> Library:
        """The engine and its statements, for tests and measurements."""
        return self._library

    def told(self, district: DistrictId, tx: SqlWrite, head: Any) -> None:
        """Tell the hook of a commit."""
        if self._on_commit is not None and head is not None:
            tell(self._on_commit, district, head, tx.counts)

    def begun(self, tx: SqlRead) -> None:
        """Reads have begun, which end with the store at the latest."""
        self._reading.add(tx)

    def ended(self, tx: SqlRead) -> None:
        """Reads are over."""
        self._reading.discard(tx)

    def forked(self) -> None:
        """Begin with connections of one's own in a forked child."""
        keep_for_ever(list(self._reading))
        self._reading = weakref.WeakSet()
        self._engine.forked()


class ReadScope:
    """The block of a read transaction.

    Args:
        store: The store.
        district: The district.
    """

    __slots__ = ("_district", "_store", "_tx")

    def __init__(self, store: SqlStore, district: DistrictId) -> None:
        self._store = store
        self._district = district
        self._tx: SqlRead | None = None

    def __enter__(self) -> SqlRead:
        library = self._store.library
        self._tx = tx = library.engine.guarded(lambda: self._begin(library))
        return tx

    def _begin(self, library: Library) -> SqlRead:
        engine, reach = library.engine, Reach(self._district)
        connection = engine.begun(lambda c: engine.begin_read(c, reach))
        try:
            tx = SqlRead(self._district, connection, library)
        except BaseException:
            library.engine.give_up(connection)
            raise
        try:
            # The first read fixes what all others see, so it is made at once.
            tx.head()
        except BaseException:
            tx.abandon()
            raise
        self._store.begun(tx)
        return tx

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._tx is not None:
            self._store.ended(self._tx)
            self._tx.abandon()


class WriteScope:
    """The block of a write transaction.

    Args:
        store: The store.
        district: The district.
        durability: What its commit waits for.
    """

    __slots__ = ("_district", "_durability", "_store", "_turn", "_tx")

    transaction: ClassVar[type[SqlWrite]] = SqlWrite
    """What the block gets."""

    def __init__(self, store: SqlStore, district: DistrictId, durability: Durability) -> None:
        self._store = store
        self._district = district
        self._durability = durability
        self._tx: SqlWrite | None = None
        self._turn: AbstractContextManager[float] | None = None

    def __enter__(self) -> SqlWrite:
        engine = self._store.library.engine
        turn = engine.writing()
        wait = turn.__enter__()
        try:
            tx = engine.guarded(lambda: self._begin(engine, wait))
        except BaseException:
            turn.__exit__(None, None, None)
            raise
        self._tx, self._turn = tx, turn
        return tx

    def _begin(self, engine: Engine, wait: float) -> SqlWrite:
        durability, reach = self._durability, Reach(self._district)
        connection = engine.begun(lambda c: engine.begin_write(c, durability, wait, reach))
        try:
            return self.transaction(self._district, connection, self._store.library)
        except BaseException:
            engine.give_up(connection)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tx, turn = self._tx, self._turn
        if tx is None or turn is None:
            return
        head = None
        try:
            if kind is None:
                head = tx.finish()
        finally:
            tx.abandon()
            turn.__exit__(None, None, None)
        self._store.told(self._district, tx, head)


class ReceiveScope(WriteScope):
    """The block of a transaction that takes in a part of a district."""

    __slots__ = ()

    transaction: ClassVar[type[SqlWrite]] = SqlReceive

    def __enter__(self) -> SqlReceive:
        tx = cast("SqlReceive", super().__enter__())
        try:
            tx.refuse_when_in_use()
        except BaseException as raised:
            self.__exit__(type(raised), raised, None)
            raise
        return tx


def _after_fork() -> None:
    for store in list(_STORES):
        store.forked()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
