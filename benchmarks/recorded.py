"""Records what the store sends to the driver, and sends the same again without the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from assetflow.store.sql.dialects import Engine
from assetflow.store.sql.sqlite import SqliteEngine
from assetflow.store.sql.statements import Prepared

__all__ = ["Constructs", "RecordingEngine", "Sent", "recording", "replay"]


class Sent(NamedTuple):
    """One call of the driver."""

    method: str
    """``execute``, ``executemany``, ``commit`` or ``rollback``."""
    sql: str = ""
    values: Any = ()
    options: Mapping[str, Any] = MappingProxyType({})


def recording(engine: type[Engine]) -> Any:
    """An engine as the store uses it, with a list ``sent`` of everything that was sent."""

    class Recording(engine):  # type: ignore[valid-type,misc]  # a mix-in over any engine
        def __init__(self, url: sa.URL, *, lock_timeout: float = 30.0) -> None:
            super().__init__(url, lock_timeout=lock_timeout)
            self.sent: list[Sent] = []

        def connect(self) -> Any:
            return _Connection(super().connect(), self.sent)

    return Recording


RecordingEngine = recording(SqliteEngine)


class _Connection:
    def __init__(self, real: Any, sent: list[Sent]) -> None:
        self._real = real
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property
    def driver_connection(self) -> _Cursor:
        return _Cursor(self._real.driver_connection, self._sent)

    def cursor(self) -> _Cursor:
        return _Cursor(self._real.cursor(), self._sent)

    def commit(self) -> None:
        self._sent.append(Sent("commit"))
        self._real.commit()

    def rollback(self) -> None:
        self._sent.append(Sent("rollback"))
        self._real.rollback()


class _Cursor:
    """A cursor, or a connection used as one."""

    def __init__(self, real: Any, sent: list[Sent]) -> None:
        self._real = real
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def cursor(self, *name: str) -> _Cursor:
        """Of a connection; with a name, one that the server keeps."""
        return _Cursor(self._real.cursor(*name), self._sent)

    def execute(self, sql: str, values: Any = (), **options: Any) -> Any:
        self._sent.append(Sent("execute", sql, values, options))
        return self._real.execute(sql, values, **options)

    def executemany(self, sql: str, values: Any) -> Any:
        self._sent.append(Sent("executemany", sql, values))
        return self._real.executemany(sql, values)


def replay(connection: Any, sent: Sequence[Sent]) -> None:
    """The same calls on a bare connection, every answer fetched."""
    cursor = connection.cursor()
    for call in sent:
        if call.method == "execute":
            cursor.execute(call.sql, call.values, **call.options)
            if cursor.description is not None:
                cursor.fetchall()
        elif call.method == "executemany":
            cursor.executemany(call.sql, call.values)
        else:
            getattr(connection, call.method)()
    cursor.close()


class Constructs:
    """Remembers from which construct of Core each compiled statement came.

    Used as a context, so that nothing stays changed.
    """

    def __init__(self) -> None:
        self._of: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._original: Callable[..., None] = Prepared.__init__

    def __enter__(self) -> Self:
        original, of = self._original, self._of

        def init(made: Any, statement: Any, dialect: Any, names: Any, columns: Any = None) -> None:
            original(made, statement, dialect, names, columns)
            compiled = statement.compile(
                dialect=dialect, column_keys=None if columns is None else list(columns)
            )
            of[made.sql] = (statement, tuple(compiled.positiontup or ()))

        Prepared.__init__ = init  # type: ignore[method-assign]
        return self

    def __exit__(self, *_exc: object) -> None:
        Prepared.__init__ = self._original  # type: ignore[method-assign]

    def replay(self, connection: sa.Connection, sent: Sequence[Sent]) -> None:
        """The same statements through Core's own execution."""
        for call in sent:
            if call.method in ("commit", "rollback"):
                getattr(connection, call.method)()
            elif call.sql in self._of:
                statement, names = self._of[call.sql]
                many = call.values if call.method == "executemany" else [call.values]
                rows = [dict(zip(names, values, strict=True)) for values in many]
                result = connection.execute(statement, rows if len(rows) > 1 else rows[0])
                if result.returns_rows:
                    result.fetchall()
            else:
                connection.exec_driver_sql(call.sql)
