"""What differs between databases: everything that the rest of the store must not know.

An `Engine` is one database as this store uses it. A new database is a subclass of it, and nothing
else: the tables, the statements, the filters and the transactions are the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from assetflow.store.ports import StoreFeature, Wiped
from assetflow.store.sql.forks import keep_for_ever
from assetflow.store.sql.row_security import NOWHERE, Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy.pool import PoolProxiedConnection

    from assetflow.errors import AssetflowError
    from assetflow.store.ports import Durability

__all__ = ["Engine", "insert_or_leave_for", "upsert_for"]

T = TypeVar("T")


class Engine(ABC):
    """One database: how to connect, begin, commit, lock, and read what went wrong."""

    features: ClassVar[frozenset[StoreFeature]] = frozenset(
        {StoreFeature.DURABLE, StoreFeature.CONCURRENT_WRITERS, StoreFeature.RECEIVES}
    )
    """What it offers beyond the port."""

    sa_engine: sa.Engine
    """SQLAlchemy's engine: its pool of connections, and its dialect for compiling."""
    errors: tuple[type[BaseException], ...]
    """What its driver raises."""

    @property
    def dialect(self) -> sa.Dialect:
        """For which statements are compiled."""
        return self.sa_engine.dialect

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it is, for a person, without a password."""

    @property
    def read_only(self) -> bool:
        """Whether the address says that nothing is to be written."""
        return False

    # --- transactions ---

    def connect(self) -> PoolProxiedConnection:
        """A connection from the pool; `release` gives it back."""
        return self.sa_engine.raw_connection()

    def begun(self, begin: Callable[[PoolProxiedConnection], None]) -> PoolProxiedConnection:
        """A connection on which *begin* was done."""
        connection = self.connect()
        try:
            begin(connection)
        except BaseException:
            self.give_up(connection)
            raise
        return connection

    def release(self, connection: PoolProxiedConnection) -> None:
        """Give a connection back that is in no transaction."""
        connection.close()

    def give_up(self, connection: PoolProxiedConnection) -> None:
        """Roll back what a connection is in, and give it back."""
        try:
            # The engine may have rolled back already, when the disk was full for one; to the
            # driver that makes no difference.
            connection.rollback()
        except self.errors:
            connection.invalidate()
            connection.close()
        else:
            self.release(connection)

    @abstractmethod
    def begin_read(self, connection: PoolProxiedConnection, reach: Reach = NOWHERE) -> None:
        """Begin a transaction whose reads all see one state.

        Args:
            connection: On which connection.
            reach: Whose rows it may see, where the engine itself keeps districts apart.
        """

    @abstractmethod
    def writing(self) -> AbstractContextManager[float]:
        """What only one writer of this process may hold at once; gives the seconds left to wait.

        Raises:
            StoreLocked: not had in time.
        """

    @abstractmethod
    def begin_write(
        self,
        connection: PoolProxiedConnection,
        durability: Durability,
        wait: float,
        reach: Reach = NOWHERE,
    ) -> None:
        """Begin a transaction that will write.

        Args:
            connection: On which connection.
            durability: What its commit waits for.
            wait: For how many seconds to wait for a lock.
            reach: Whose rows it may see and write, where the engine itself keeps districts apart.
        """

    locks_rows: ClassVar[bool] = True
    """Whether writers meet at rows; if not, one has the whole database."""
    checks_references_late: ClassVar[bool] = True
    """Whether the engine itself looks at deferred foreign keys at the end of the transaction."""

    @abstractmethod
    def defer_references(self, cursor: Any, *, deferred: bool) -> None:
        """Look at foreign keys at the end of the transaction instead of at each statement."""

    def stream_cursor(self, connection: PoolProxiedConnection) -> Any:
        """A cursor for an answer that may be long, read beside other statements."""
        return connection.cursor()

    # --- statements ---

    def insert_or_leave(self, table: sa.Table) -> sa.ClauseElement:
        """Insert a row, unless one with its key is there."""
        return insert_or_leave_for(self.dialect.name, table)

    def upsert(self, table: sa.Table) -> sa.ClauseElement:
        """Insert a row, or replace all of the row with its key."""
        return upsert_for(self.dialect.name, table)

    def sorted_apart(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """A column to sort by that must not tempt the planner away from the index of the filter."""
        return column

    @abstractmethod
    def member_of(
        self, column: sa.ColumnElement[Any], members: sa.BindParameter[Any]
    ) -> sa.ColumnElement[bool]:
        """Whether a column's value stands in a long list that is bound as one value."""

    @abstractmethod
    def list_value(self, members: list[Any]) -> Any:
        """The one value that such a list is bound as."""

    @abstractmethod
    def exact_sum(
        self, column: sa.ColumnElement[Any]
    ) -> tuple[Sequence[sa.ColumnElement[Any]], Callable[..., int | None]]:
        """Columns from which a sum of whole numbers follows exactly, and how."""

    # --- what went wrong ---

    @abstractmethod
    def fault(self, problem: BaseException, kind: str | None = None) -> AssetflowError:
        """What a driver's error means, by its code. Never its words: they may hold a value."""

    def commit_fault(self, problem: BaseException) -> AssetflowError:
        """What an error during the commit means."""
        return self.fault(problem)

    def guarded(self, call: Callable[[], T]) -> T:
        """Call the driver; its errors become ours.

        They are raised outside of the handler, so that the driver's own, whose words may hold a
        value, hangs on none of them as cause or context.
        """
        try:
            return call()
        except self.errors as raised:
            problem = self.fault(raised)
        raise problem

    # --- the file or the server ---

    migrates_at_open: ClassVar[bool] = False
    """Whether opening brings the schema up to date. A server's is upgraded by its people."""

    migrates_whole: ClassVar[bool] = True
    """Whether nobody sees half a migration. If not, whoever migrates looks under the lock."""

    @abstractmethod
    def tables(self, connection: sa.Connection) -> set[str]:
        """Names of all tables that are there, of other programs too."""

    def check_role(self) -> None:
        """Refuse to open as somebody for whom the engine does not keep districts apart."""
        return

    def settle_in(self) -> None:
        """What is done once for each opening, when the database is known to be ours or empty."""
        return

    @abstractmethod
    def migration_lock(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """Keep other processes from migrating meanwhile; commit at the end of the block.

        On a server this is a lock of the session, such as ``pg_advisory_lock`` or ``GET_LOCK``.
        """

    def size(self) -> int | None:
        """Bytes that it takes up, where that can be asked for."""
        return None

    def backup(self, revision: str, at: datetime) -> str | None:  # noqa: ARG002  # for subclasses
        """Copy what is there before it is migrated; ``None`` where its people do that."""
        return None

    def wipe_removed(self) -> Wiped:
        """Rewrite the tables, so that the bytes of removed values are in them no longer."""
        whole = "the server's tables and log: its people rewrite them (VACUUM FULL, OPTIMIZE TABLE)"
        return Wiped(not_reached=(whole, "backups and replicas of the server"))

    def forked(self) -> None:
        """Begin with a new pool in a forked child."""
        keep_for_ever(self.sa_engine.pool)
        self.sa_engine.dispose(close=False)

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections."""


def upsert_for(engine: str, table: sa.Table) -> sa.ClauseElement:
    """An upsert: no two engines write it alike, and Core has no word for it.

    Args:
        engine: SQLAlchemy's name of the dialect.
        table: Into which table.
    """
    key = [c.name for c in table.primary_key.columns]
    others = [c.name for c in table.columns if c.name not in key]
    if engine in ("mysql", "mariadb"):
        into = mysql.insert(table)
        # The key is set to itself where nothing else can be set.
        return into.on_duplicate_key_update({n: into.inserted[n] for n in others or key})
    make = postgresql.insert if engine == "postgresql" else sqlite.insert
    new = make(table)
    if not others:
        return new.on_conflict_do_nothing(index_elements=key)
    return new.on_conflict_do_update(index_elements=key, set_={n: new.excluded[n] for n in others})


def insert_or_leave_for(engine: str, table: sa.Table) -> sa.ClauseElement:
    """An insert that leaves a row with the same key as it is.

    Args:
        engine: SQLAlchemy's name of the dialect.
        table: Into which table.
    """
    key = [c.name for c in table.primary_key.columns]
    if engine in ("mysql", "mariadb"):
        into = mysql.insert(table)
        return into.on_duplicate_key_update({n: into.inserted[n] for n in key})
    make = postgresql.insert if engine == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing(index_elements=key)
