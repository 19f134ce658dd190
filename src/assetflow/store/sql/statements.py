"""Statements, written once in SQLAlchemy Core, compiled once for each store.

A compiled statement runs on the driver's own cursor: Core's execution costs more than twice what
SQLite itself needs, its compiled text costs nothing. The rules that make this safe are kept here:

* What is bound is named, in order, when a statement is prepared; a bind that is missing or left
  over is an error then and there. Core itself would silently bind ``NULL``.
* Constants that Core turned into binds are kept with the statement.
* A list of unknown length (``IN`` with an expanding bind) is refused; lists have fixed sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from assetflow.codec import ColumnType
from assetflow.store.schema import JOURNAL, Kind
from assetflow.store.sql.tables import DISTRICT, EVENT, EVENT_HEAD, TABLES

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

    from assetflow.store.sql.dialects import Engine

__all__ = ["LIST_SIZES", "JournalStatements", "KindStatements", "Prepared", "Shapes"]

Row = tuple[Any, ...]
T = TypeVar("T")

_ONE: sa.ColumnClause[int] = sa.literal_column("1")
_ZERO: sa.ColumnClause[int] = sa.literal_column("0")

LIST_SIZES = (512, 64, 8)
"""Lengths of the lists that statements are compiled for; a shorter list is filled up."""


class Prepared:
    """A compiled statement and the order in which its values are bound.

    Args:
        statement: What to compile.
        dialect: For which engine.
        names: Names of the binds, in the order in which `bind` gets their values.
        columns: The columns that an INSERT or UPDATE sets.
    """

    __slots__ = ("_fixed", "_names", "_order", "sql")

    def __init__(
        self,
        statement: sa.ClauseElement,
        dialect: sa.Dialect,
        names: Sequence[str],
        columns: Sequence[str] | None = None,
    ) -> None:
        compiled: SQLCompiler = statement.compile(  # type: ignore[assignment]  # never DDL
            dialect=dialect, column_keys=None if columns is None else list(columns)
        )
        self.sql: str = str(compiled)
        if "POSTCOMPILE" in self.sql:
            msg = "a list of unknown length cannot run on the driver's cursor"
            raise TypeError(msg)
        # Only a constant of the statement's text is fixed; anything else was to be named.
        constants = (str, int, bytes)
        params = compiled.params.items()
        fixed = {n: v for n, v in params if n not in names and type(v) in constants}
        if set(compiled.params) != {*names, *fixed}:
            msg = f"binds {sorted(compiled.params)} are not {sorted(names)}"
            raise TypeError(msg)
        order = compiled.positiontup
        self._names = tuple(names)
        self._fixed = fixed
        self._order: tuple[tuple[int, Any], ...] | None = None
        if order is not None:
            at = {name: i for i, name in enumerate(self._names)}
            self._order = tuple((at.get(name, -1), fixed.get(name)) for name in order)
            if [i for i, _ in self._order] == list(range(len(self._names))):
                self._order = ()

    def bind(self, values: Sequence[Any]) -> Any:
        """The values as the driver takes them: in the statement's order, or by name."""
        if self._order is None:
            return {**self._fixed, **dict(zip(self._names, values, strict=True))}
        if not self._order:
            return values
        return [constant if i < 0 else values[i] for i, constant in self._order]

    @property
    def as_given(self) -> bool:
        """Whether the driver takes values just as they were named, so that `bind` can be left out."""
        return self._order == ()


class Shapes:
    """Statements by their shape, the oldest forgotten beyond a bound.

    Safe between threads without a lock, since two that make one shape at once make it alike.

    Args:
        most: How many to keep.
    """

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._kept: dict[Any, Any] = {}

    def get(self, shape: Any, make: Callable[[], T]) -> T:
        """The statement of that shape, made when it is not there."""
        found: T | None = self._kept.get(shape)
        if found is None:
            found = self._kept[shape] = make()
            while len(self._kept) > self._most:
                self._kept.pop(next(iter(self._kept)), None)
        return found

    def __len__(self) -> int:
        return len(self._kept)


def _names(prefix: str, names: Sequence[str]) -> list[str]:
    return [f"{prefix}{name}" for name in names]


class KindStatements:
    """The statements over one kind's table. Each is compiled when it is first used.

    Args:
        kind: The kind.
        engine: The engine that they are compiled for.
    """

    def __init__(self, kind: Kind, engine: Engine) -> None:
        self.kind = kind
        self.table: sa.Table = TABLES[kind.name]
        self._engine = engine
        self._dialect = engine.dialect
        self._shapes = Shapes(64)
        self._all = [self.table.c[c.name] for c in kind.columns]
        self._key = [self.table.c[n] for n in kind.key]
        self._text_key = all(kind.column(n).type is ColumnType.TEXT for n in kind.key)

    def plain_key(self, key: Sequence[Any]) -> bool:
        """Whether a key is what nearly all are, plain ASCII text, and needs no closer look."""
        if not self._text_key or len(key) != len(self._key):
            return False
        for part in key:
            if type(part) is not str or not part.isascii() or "\0" in part:
                return False
        return True

    def _here(self) -> sa.ColumnElement[bool]:
        return self.table.c[DISTRICT] == sa.bindparam("in_district")

    def _at(self, prefix: str, names: Sequence[str]) -> list[sa.ColumnElement[bool]]:
        return [self.table.c[n] == sa.bindparam(f"{prefix}{n}") for n in names]

    @cached_property
    def get(self) -> Prepared:
        """One record by its key: district, key."""
        statement = sa.select(*self._all).where(self._here(), *self._at("k_", self.kind.key))
        return Prepared(statement, self._dialect, ["in_district", *_names("k_", self.kind.key)])

    @cached_property
    def exists(self) -> Prepared:
        """A row when there is one with the key: district, key."""
        statement = sa.select(_ONE).select_from(self.table)
        statement = statement.where(self._here(), *self._at("k_", self.kind.key))
        return Prepared(statement, self._dialect, ["in_district", *_names("k_", self.kind.key)])

    @cached_property
    def exists_kept(self) -> Prepared:
        """The same, and the row stays until the end: district, key."""
        statement = sa.select(_ONE).select_from(self.table).with_for_update(read=True)
        statement = statement.where(self._here(), *self._at("k_", self.kind.key))
        return Prepared(statement, self._dialect, ["in_district", *_names("k_", self.kind.key)])

    def referring(self, field: str) -> Prepared:
        """A row when any refers by this field to an id: district, id."""
        column = self.kind.column(field).name

        def make() -> Prepared:
            statement = sa.select(_ONE).select_from(self.table)
            statement = statement.where(self._here(), *self._at("k_", (column,))).limit(_ONE)
            return Prepared(statement, self._dialect, ["in_district", f"k_{column}"])

        return self._shapes.get(("referring", column), make)

    def get_list(self, size: int) -> Prepared:
        """Records that agree in all of the key but its last part: district, key without it, list."""

        def make() -> Prepared:
            *first, last = self.kind.key
            members = [f"m_{i}" for i in range(size)]
            statement = sa.select(*self._all).where(
                self._here(),
                *self._at("k_", first),
                self.table.c[last].in_([sa.bindparam(m) for m in members]),
            )
            return Prepared(
                statement, self._dialect, ["in_district", *_names("k_", first), *members]
            )

        return self._shapes.get(("list", size), make)

    def lock_list(self, size: int) -> Prepared:
        """The same keys kept from others until the end, in the key's order: as `get_list`."""

        def make() -> Prepared:
            *first, last = self.kind.key
            members = [f"m_{i}" for i in range(size)]
            column = self.table.c[last]
            listed: list[sa.BindParameter[Any]] = [sa.bindparam(m) for m in members]
            statement = sa.select(_ONE).select_from(self.table)
            statement = statement.where(
                self._here(),
                *self._at("k_", first),
                column.in_(listed) if size > 1 else column == listed[0],
            )
            # Not from those who only refer to the row: PostgreSQL's "no key update".
            statement = statement.order_by(column).with_for_update(key_share=True)
            return Prepared(
                statement, self._dialect, ["in_district", *_names("k_", first), *members]
            )

        return self._shapes.get(("lock", size), make)

    @cached_property
    def insert(self) -> Prepared:
        """A new row: district, columns in the kind's order."""
        columns = [DISTRICT, *(c.name for c in self.kind.columns)]
        return Prepared(sa.insert(self.table), self._dialect, columns, columns)

    @cached_property
    def upsert(self) -> Prepared:
        """A new row, or in place of the one with its key: district, columns in the kind's order."""
        columns = [DISTRICT, *(c.name for c in self.kind.columns)]
        return Prepared(self._engine.upsert(self.table), self._dialect, columns, columns)

    def update(self, changed: tuple[int, ...]) -> Prepared:
        """New values, where the guard holds: changed columns, district, key, guard.

        Args:
            changed: Positions of the columns that change.
        """

        def make() -> Prepared:
            columns = [self.kind.columns[i].name for i in changed]
            guard = self.kind.guard
            statement = sa.update(self.table).where(
                self._here(), *self._at("k_", self.kind.key), *self._at("g_", guard)
            )
            # Core takes the columns that are set from `columns`; the binds carry their names.
            names = [
                *columns,
                "in_district",
                *_names("k_", self.kind.key),
                *_names("g_", guard),
            ]
            return Prepared(statement, self._dialect, names, columns)

        return self._shapes.get(("update", changed), make)

    @cached_property
    def remove(self) -> Prepared:
        """Remove where the guard holds: district, key, guard."""
        statement = sa.delete(self.table).where(
            self._here(), *self._at("k_", self.kind.key), *self._at("g_", self.kind.guard)
        )
        names = ["in_district", *_names("k_", self.kind.key), *_names("g_", self.kind.guard)]
        return Prepared(statement, self._dialect, names)

    @cached_property
    def delete(self) -> Prepared:
        """Delete by key: district, key."""
        statement = sa.delete(self.table).where(self._here(), *self._at("k_", self.kind.key))
        return Prepared(statement, self._dialect, ["in_district", *_names("k_", self.kind.key)])

    @cached_property
    def last_key(self) -> Prepared:
        """The highest key: district."""
        key = [self.table.c[n] for n in self.kind.key]
        statement = sa.select(*key).where(self._here()).order_by(*[c.desc() for c in key])
        return Prepared(statement.limit(_ONE), self._dialect, ["in_district"])

    @cached_property
    def drop(self) -> Prepared:
        """Delete all records: district."""
        return Prepared(sa.delete(self.table).where(self._here()), self._dialect, ["in_district"])


class JournalStatements:
    """The statements over the journal and its head.

    Args:
        engine: The engine that they are compiled for.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = engine.dialect
        self._shapes = Shapes(16)

    @cached_property
    def head(self) -> Prepared:
        """The end of the journal: district."""
        c = EVENT_HEAD.c
        statement = sa.select(c.seq, c.hash).where(c[DISTRICT] == sa.bindparam("in_district"))
        return Prepared(statement, self._dialect, ["in_district"])

    @cached_property
    def lock_head(self) -> Prepared:
        """The same, kept from others until the end where the engine locks rows: district."""
        c = EVENT_HEAD.c
        statement = sa.select(c.seq, c.hash).where(c[DISTRICT] == sa.bindparam("in_district"))
        statement = statement.with_for_update(key_share=True)
        return Prepared(statement, self._dialect, ["in_district"])

    @cached_property
    def prepare_head(self) -> Prepared:
        """A head to lock, where there is none yet: district, sequence, hash."""
        columns = [DISTRICT, "seq", "hash"]
        return Prepared(self._engine.insert_or_leave(EVENT_HEAD), self._dialect, columns, columns)

    @cached_property
    def begin(self) -> Prepared:
        """The first head of a journal: district, sequence, hash."""
        columns = [DISTRICT, "seq", "hash"]
        return Prepared(sa.insert(EVENT_HEAD), self._dialect, columns, columns)

    @cached_property
    def advance(self) -> Prepared:
        """Move the head: sequence, hash, district, sequence before."""
        c = EVENT_HEAD.c
        statement = sa.update(EVENT_HEAD).where(
            c[DISTRICT] == sa.bindparam("in_district"), c.seq == sa.bindparam("g_seq")
        )
        names = ["seq", "hash", "in_district", "g_seq"]
        return Prepared(statement, self._dialect, names, ["seq", "hash"])

    @cached_property
    def append(self) -> Prepared:
        """One event: district, columns of the journal."""
        columns = [DISTRICT, *(c.name for c in JOURNAL)]
        return Prepared(sa.insert(EVENT), self._dialect, columns, columns)

    @cached_property
    def last(self) -> Prepared:
        """The last event, whatever the head says: district."""
        c = EVENT.c
        statement = sa.select(c.seq, c.hash).where(c[DISTRICT] == sa.bindparam("in_district"))
        statement = statement.order_by(c.seq.desc()).limit(_ONE)
        return Prepared(statement, self._dialect, ["in_district"])

    @cached_property
    def districts(self) -> Prepared:
        """Districts that have a journal."""
        statement = sa.select(EVENT_HEAD.c[DISTRICT]).where(EVENT_HEAD.c.seq > _ZERO)
        return Prepared(statement, self._dialect, [])

    def events(self, *, subject: bool, batch: bool) -> Prepared:
        """Events in order: district, after, subject's kind and id, batch."""

        def make() -> Prepared:
            c = EVENT.c
            names = ["in_district", "after"]
            where = [c[DISTRICT] == sa.bindparam("in_district"), c.seq > sa.bindparam("after")]
            if subject:
                names += ["s_kind", "s_id"]
                where += [
                    c.subject_kind == sa.bindparam("s_kind"),
                    c.subject_id == sa.bindparam("s_id"),
                ]
            if batch:
                names.append("in_batch")
                where.append(c.batch_id == sa.bindparam("in_batch"))
            columns = [c[column.name] for column in JOURNAL]
            statement = sa.select(*columns).where(*where).order_by(c.seq)
            return Prepared(statement, self._dialect, names)

        return self._shapes.get((subject, batch), make)
