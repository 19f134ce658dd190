"""Reads of one district."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from assetflow.codec import clean_text
from assetflow.errors import AssetflowError, TransactionClosed
from assetflow.store.checks import checked_aggregate, checked_columns, checked_key, checked_query
from assetflow.store.journal import BEGINNING
from assetflow.store.ports import Head, StoredEvent
from assetflow.store.schema import Kind, kind_of
from assetflow.store.sql.filters import (
    EVERYTHING,
    HOW_MANY,
    Figures,
    aggregate_plan,
    make_select,
    query_plan,
)
from assetflow.store.sql.forks import generation, keep_for_ever
from assetflow.store.sql.rows import Rows
from assetflow.store.sql.statements import LIST_SIZES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy.pool import PoolProxiedConnection

    from assetflow.model import Aggregate, DistrictId, Query, Record
    from assetflow.store.sql.dialects import Engine
    from assetflow.store.sql.filters import Chosen
    from assetflow.store.sql.library import Library
    from assetflow.store.sql.statements import Prepared

    R = TypeVar("R", bound=Record)
else:
    R = TypeVar("R")

__all__ = ["SqlRead", "chunked"]

T = TypeVar("T")
Key = tuple[Any, ...]
Plan = tuple[Any, ...]
Row = tuple[Any, ...]

_FEW = 100
_OVER = "the transaction has ended"


class SqlRead:
    """Consistent reads of one district on one connection.

    Args:
        district: The district.
        connection: A connection of the pool, in a transaction.
        library: The store's engine and statements.
    """

    def __init__(
        self, district: DistrictId, connection: PoolProxiedConnection, library: Library
    ) -> None:
        self._district = district
        self._library = library
        self._engine = library.engine
        self.errors: tuple[type[BaseException], ...] = library.engine.errors
        self._connection: PoolProxiedConnection | None = connection
        self._cursor: Any = connection.cursor()
        self._open: list[Rows] = []
        self._generation = generation()
        self._why = _OVER

    @property
    def district(self) -> DistrictId:
        """The district that it belongs to."""
        return self._district

    # --- records ---

    def get(self, kind: type[R], *key: Any) -> R | None:
        """The record with that key, or ``None``."""
        self.check()
        statements = self._library.over(kind)
        at = key if statements.plain_key(key) else checked_key(statements.kind, key)
        rows = self._rows(statements.get, (self._district, *at))
        return statements.kind.codec.record(rows[0]) if rows else None

    def get_many(self, kind: type[R], keys: Sequence[Key]) -> dict[Key, R]:
        """The records with those keys; keys without a record are left out. Any number of keys."""
        self.check()
        found = kind_of(kind)
        wanted = {checked_key(found, key): key for key in keys}
        records = {
            found.pick_key(row): found.codec.record(row) for row in self._listed(found, wanted)
        }
        return {key: records[at] for at, key in wanted.items() if at in records}

    def _listed(self, kind: Kind, keys: Sequence[Key] | dict[Key, Key]) -> Iterator[Row]:
        """Rows by key: those that differ in the last part of the key only, many at a time."""
        statements = self._library.of(kind)
        for first, chunk in chunked(keys):
            found = statements.get if len(chunk) == 1 else statements.get_list(len(chunk))
            yield from self._rows(found, (self._district, *first, *chunk))

    def find(self, query: Query[R]) -> Iterator[R]:
        """The records that a query selects, in its order."""
        kind, checked = checked_query(query)
        return map(kind.codec.record, self._select(kind, checked, EVERYTHING))

    def values(self, query: Query[Any], fields: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Only these fields of the records that a query selects, as plain values."""
        kind, checked = checked_query(query)
        chosen = tuple([column.name for column in checked_columns(kind, fields)])
        return self._select(kind, checked, chosen)

    def _select(self, kind: Kind, query: Query[Any], chosen: Chosen) -> Iterator[Row]:
        plan, values = query_plan(query, chosen)
        statement, bound = self._planned(kind, plan, make_select), self._bound(values)
        if query.limit is not None and query.limit <= _FEW:
            self.check()
            return self._brief(statement, bound)
        return self._stream(statement, bound)

    def count(self, query: Query[Any]) -> int:
        """How many records a query selects; its limit and *after* count, its order does not."""
        self.check()
        kind, checked = checked_query(query)
        plan, values = query_plan(checked, HOW_MANY)
        rows = self._rows(self._planned(kind, plan, make_select), self._bound(values))
        return int(rows[0][0])

    def aggregate(self, aggregate: Aggregate[Any]) -> list[dict[str, Any]]:
        """The figures of an aggregate."""
        self.check()
        kind, checked = checked_aggregate(aggregate)
        plan, values = aggregate_plan(checked)
        figures = self._planned(kind, plan, Figures)
        return figures.read(self._rows(figures.statement, self._bound(values)))

    def _planned(self, kind: Kind, plan: Plan, make: Callable[[Plan, Kind, Engine], T]) -> T:
        """What is compiled for a plan, from earlier or now."""
        return self._library.shape((kind.name, plan), lambda: make(plan, kind, self._engine))

    def _bound(self, values: list[Any]) -> list[Any]:
        listed = self._engine.list_value
        return [self._district, *[listed(v) if type(v) is list else v for v in values]]

    # --- the journal ---

    def journal(
        self, *, after: int = 0, subject: tuple[str, str] | None = None, batch_id: str | None = None
    ) -> Iterator[StoredEvent]:
        """Events with a higher sequence number, in order; of one subject or batch when named."""
        statement = self._library.journal.events(
            subject=subject is not None, batch=batch_id is not None
        )
        values: list[Any] = [self._district, after]
        values += [clean_text(text) for text in subject or ()]
        values += [] if batch_id is None else [clean_text(batch_id)]
        return map(_stored_event, self._stream(statement, values))

    def head(self) -> Head:
        """The end of the journal."""
        self.check()
        rows = self._rows(self._library.journal.head, (self._district,))
        return Head(*rows[0]) if rows else BEGINNING

    # --- statements ---

    def _rows(self, statement: Prepared, values: Sequence[Any]) -> list[Row]:
        """All rows of a statement that gives few."""
        cursor = self._cursor
        try:
            cursor.execute(statement.sql, statement.bind(values))
            return cursor.fetchall()  # type: ignore[no-any-return]  # what a driver gives
        except self.errors as raised:
            problem = self.failed(raised)
        raise problem

    def _brief(self, statement: Prepared, values: Sequence[Any]) -> Iterator[Row]:
        """The rows of a statement that gives few, asked for with the first of them."""
        self.check()
        for row in self._rows(statement, values):
            yield row
            self.check()

    def _stream(self, statement: Prepared, values: Sequence[Any]) -> Iterator[Row]:
        """The rows of a statement that may give many, fetched while they are read."""
        self.check()

        def execute() -> Any:
            cursor = self._engine.stream_cursor(self._connection)  # type: ignore[arg-type]  # checked when it runs
            try:
                cursor.execute(statement.sql, statement.bind(values))
            except BaseException:
                with suppress(*self.errors):
                    cursor.close()
                raise
            return cursor

        return iter(Rows(self, execute))

    def guarded(self, call: Callable[[], T]) -> T:
        """Call the driver. Its errors become ours, and the transaction ends with them."""
        try:
            return call()
        except self.errors as raised:
            problem = self.failed(raised)
        raise problem

    def remember(self, rows: Rows) -> None:
        """An answer is being read."""
        self._open.append(rows)

    def forget(self, rows: Rows) -> None:
        """An answer was read to its end."""
        if rows in self._open:
            self._open.remove(rows)

    # --- the end ---

    def check(self) -> None:
        """Refuse to go on after the end.

        Raises:
            TransactionClosed: it is over, or belongs to the process that this one was forked from.
        """
        if self._connection is None or self._generation != generation():
            raise TransactionClosed(self._why)

    def failed(self, raised: BaseException, kind: str | None = None) -> AssetflowError:
        """End the transaction, and say what happened. The caller raises it outside its handler."""
        problem = self.fault(raised, kind)
        self.abandon(f"the transaction ended with an error: {problem.code}")
        return problem

    def fault(self, raised: BaseException, kind: str | None) -> AssetflowError:
        """What a driver's error means."""
        return self._engine.fault(raised, kind)

    def abandon(self, why: str = _OVER) -> None:
        """Roll back and give the connection back. A second call does nothing."""
        connection = self._let_go(why)
        if connection is not None:
            self._engine.give_up(connection)

    def _let_go(self, why: str) -> PoolProxiedConnection | None:
        """End what is being read, and take the connection out; ``None`` when there is none."""
        connection, self._connection = self._connection, None
        if connection is None:
            return None
        self._why = why
        if self._generation != generation():
            keep_for_ever((connection, self._cursor, list(self._open)))
            return None
        for rows in list(self._open):
            rows.end()
        self._open.clear()
        self._cursor.close()
        return connection


def chunked(keys: Iterable[Key]) -> Iterator[tuple[Key, list[Any]]]:
    """Keys that agree in all but their last part: the first parts, and last parts in lists.

    A list has one of the sizes that statements are compiled for, filled up with its last.
    """
    groups: dict[Key, list[Any]] = {}
    for key in keys:
        groups.setdefault(key[:-1], []).append(key[-1])
    for first, members in groups.items():
        at = 0
        while at < len(members):
            left = len(members) - at
            size = next((s for s in LIST_SIZES if s <= left), LIST_SIZES[-1] if left > 1 else 1)
            chunk = members[at : at + size]
            at += size
            yield first, chunk + chunk[-1:] * (size - len(chunk))


def _stored_event(row: Row) -> StoredEvent:
    seq, kind, subject_kind, subject_id, batch_id, recorded_at, body, prev, digest = row
    return StoredEvent(
        seq=seq,
        type=kind,
        subject_kind=subject_kind,
        subject_id=subject_id,
        batch_id=batch_id,
        recorded_at=recorded_at,
        body=body,
        prev=prev,
        hash=digest,
    )
