"""What the servers have in common: connections that can break, writers that meet at rows."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from assetflow.errors import AssetflowError, CommitUnknown, StoreError, StoreUnavailable
from assetflow.store.sql.dialects import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["ServerEngine"]

_POOL = 8
_EPOCH = "assetflow epoch"


class ServerEngine(Engine):
    """A database server. Its schema is upgraded by its people, not by whoever opens it.

    Args:
        url: The address; its password and options are shown nowhere.
        drivername: SQLAlchemy's name of the dialect and driver.
        lock_timeout: Seconds that a writer waits for another.
    """

    def __init__(self, url: sa.URL, drivername: str, *, lock_timeout: float) -> None:
        self._url = url.set(drivername=drivername)
        self.lock_timeout = lock_timeout
        self._closed = False
        # Connections of an earlier epoch are not used again: the server went away, or changed
        # what their prepared statements rest on.
        self._epoch = 0
        self.sa_engine: sa.Engine = sa.create_engine(
            f"{drivername}://",
            creator=self.new_connection,
            poolclass=QueuePool,
            pool_size=_POOL,
            max_overflow=-1,
            pool_use_lifo=True,
            # A transaction that ends has always ended its statements itself.
            pool_reset_on_return=None,
            hide_parameters=True,
            **self.dialect_options(),
        )

    def dialect_options(self) -> dict[str, Any]:
        """What SQLAlchemy's dialect is made with."""
        return {}

    @property
    def address(self) -> str:
        """Scheme, user, host and database; no password and no option, which may be one."""
        url = self._url
        shown = sa.URL.create(
            url.get_backend_name(), url.username, None, url.host, url.port, url.database
        )
        return shown.render_as_string()

    def new_connection(self) -> Any:
        """A connection of the driver, outside of the pool.

        Raises:
            StoreUnavailable: the server cannot be reached, or does not let us in.
        """
        try:
            return self.connect_driver()
        except self.errors as raised:
            problem = self.unreachable(raised)
        raise problem

    @abstractmethod
    def connect_driver(self) -> Any:
        """A new connection of the driver, in no transaction."""

    @abstractmethod
    def unreachable(self, problem: BaseException) -> AssetflowError:
        """What an error while connecting means."""

    @abstractmethod
    def lost(self, problem: BaseException) -> bool:
        """Whether an error says that the connection is gone."""

    # --- transactions ---

    def connect(self) -> PoolProxiedConnection:
        """One of the pool, of this epoch."""
        while True:
            connection = self.sa_engine.raw_connection()
            if connection.info.setdefault(_EPOCH, self._epoch) == self._epoch:
                return connection
            self._drop(connection)

    def begun(self, begin: Callable[[PoolProxiedConnection], None]) -> PoolProxiedConnection:
        """A connection on which *begin* was done; one that broke while it lay idle is replaced."""
        for last in (False, True):
            connection = self.connect()
            try:
                begin(connection)
            except self.errors as raised:
                if last or not self.lost(raised):
                    self.give_up(connection)
                    raise
                # The others in the pool were idle too, and are not asked one after another.
                self._epoch += 1
                self._drop(connection)
            except BaseException:
                self.give_up(connection)
                raise
            else:
                return connection
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    def release(self, connection: PoolProxiedConnection) -> None:
        """Back to the pool, unless the store is closed or the connection is of an earlier epoch."""
        if self._closed or connection.info.get(_EPOCH) != self._epoch:
            self._drop(connection)
        else:
            connection.close()

    def give_up(self, connection: PoolProxiedConnection) -> None:
        """Roll back and give back. Of a closed store's connection the server takes care."""
        if self._closed:
            self._drop(connection)
        else:
            super().give_up(connection)

    def _drop(self, connection: PoolProxiedConnection) -> None:
        connection.invalidate()
        connection.close()

    def writing(self) -> AbstractContextManager[float]:
        """Nothing: writers meet in the server."""
        return nullcontext(self.lock_timeout)

    # --- statements ---

    def exact_sum(
        self, column: sa.ColumnElement[Any]
    ) -> tuple[Sequence[sa.ColumnElement[Any]], Callable[..., int | None]]:
        """The server's own sum, which is a number without bounds."""
        return (sa.func.sum(column),), lambda found: None if found is None else int(found)

    # --- what went wrong ---

    def fault(self, problem: BaseException, kind: str | None = None) -> AssetflowError:
        """By the server's codes."""
        while isinstance(problem, sa.exc.DBAPIError) and problem.orig is not None:
            problem = problem.orig
        if isinstance(problem, sa.exc.TimeoutError):
            return StoreUnavailable("no connection of the pool came free")
        if isinstance(problem, sa.exc.SQLAlchemyError):
            return StoreError(f"the database library raised {type(problem).__name__}")
        return self.meaning(problem, kind)

    @abstractmethod
    def meaning(self, problem: BaseException, kind: str | None) -> AssetflowError:
        """What an error of the driver itself means."""

    def commit_fault(self, problem: BaseException) -> AssetflowError:
        """A connection that breaks during the commit does not say whether it was made."""
        if self.lost(problem):
            return CommitUnknown("the connection broke while the commit was under way")
        return self.fault(problem)

    def retire_connections(self) -> None:
        """Use no connection again that is open now."""
        self._epoch += 1

    def close(self) -> None:
        """Close what lies in the pool; what is in use is closed when it comes back."""
        self._closed = True
        self.sa_engine.dispose()
