"""Queries and figures as SQL.

A query becomes a *plan*, a value that says all but the values it compares with, and the list of
those values. Queries with equal plans share one compiled statement. What a filter means with
unknown values needs no translation: SQL's logic over ``NULL`` is the one that
[`assetflow.model.query`][assetflow.model.query] states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from assetflow.model.query import (
    Aggregate,
    All,
    AnyOf,
    Compare,
    IsUnknown,
    Measure,
    Not,
    OneOf,
    Predicate,
    Query,
    StartsWith,
)
from assetflow.store.sql.statements import Prepared
from assetflow.store.sql.tables import DISTRICT, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from assetflow.store.schema import Kind
    from assetflow.store.sql.dialects import Engine

__all__ = [
    "EVERYTHING",
    "HOW_MANY",
    "Figures",
    "aggregate_plan",
    "filter_plan",
    "make_select",
    "query_plan",
]

Plan = tuple[Any, ...]
Row = tuple[Any, ...]
Chosen = tuple[str, ...] | Literal["everything", "how many"]
EVERYTHING: Literal["everything"] = "everything"
HOW_MANY: Literal["how many"] = "how many"

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_ONE: sa.ColumnClause[int] = sa.literal_column("1")
_ZERO: sa.ColumnClause[int] = sa.literal_column("0")
# Core's own true and false swallow what stands beside them, binds and all.
_ALWAYS, _NEVER = _ONE != _ZERO, _ONE == _ZERO
_CUTS = {"month": 7, "year": 4}
_LONGEST_LIST = 64
_LAST_CHARACTER = "\U0010ffff"


# --- plans: what is asked, apart from the values ---------------------------------------------


def filter_plan(where: Predicate, values: list[Any]) -> Plan:
    """The plan of a checked filter.

    Args:
        where: The filter, as `assetflow.store.checks` gave it.
        values: Gets the values that the plan's binds take, in order.
    """
    match where:
        case Compare(name=name, operator=operator, value=value):
            values.append(value)
            return ("compare", name, operator)
        case OneOf(name=name, values=members):
            return _list_plan(name, members, values)
        case StartsWith(name=name, prefix=prefix):
            return _prefix_plan(name, prefix, values)
        case IsUnknown(name=name):
            return ("unknown", name)
        case Not(condition=inner):
            return ("not", filter_plan(inner, values))
        case All(conditions=parts):
            return ("all", *[filter_plan(p, values) for p in parts])
        case AnyOf(conditions=parts):
            return ("any", *[filter_plan(p, values) for p in parts])
        case _:  # pragma: no cover  # the checks refuse it
            raise TypeError(type(where).__name__)


def _list_plan(name: str, members: tuple[Any, ...], values: list[Any]) -> Plan:
    if not members:
        return ("never",)
    unique = list(dict.fromkeys(members))
    if len(unique) > _LONGEST_LIST:
        values.append(unique)
        return ("members", name)
    size = 1
    while size < len(unique):
        size *= 2
    values += unique + unique[-1:] * (size - len(unique))
    return ("one of", name, size)


def _prefix_plan(name: str, prefix: str, values: list[Any]) -> Plan:
    """A prefix is a range, which an index serves: from the prefix to the next text without it."""
    head = prefix.rstrip(_LAST_CHARACTER)
    values.append(prefix)
    if not head:
        return ("compare", name, ">=")
    following = ord(head[-1]) + 1
    if following == 0xD800:  # half a surrogate pair is no character
        following = 0xE000
    values.append(head[:-1] + chr(following))
    return ("from to", name)


def query_plan(query: Query[Any], chosen: Chosen) -> tuple[Plan, list[Any]]:
    """The plan of a checked query, and what its binds take after the district.

    Args:
        query: The query, as `assetflow.store.checks` gave it.
        chosen: What to read: names of columns, `EVERYTHING`, or `HOW_MANY` records there are.
    """
    values: list[Any] = []
    where = None if query.where is None else filter_plan(query.where, values)
    if query.after is not None:
        values += query.after
    if query.limit is not None:
        values.append(query.limit)
    order: Plan = ()
    if query.order and chosen != HOW_MANY:
        order = tuple([(o.name, o.descending) for o in query.order])
    return (chosen, where, order, query.after is not None, query.limit is not None), values


def aggregate_plan(aggregate: Aggregate[Any]) -> tuple[Plan, list[Any]]:
    """The plan of a checked aggregate, and what its binds take after the district."""
    values: list[Any] = []
    where = None if aggregate.where is None else filter_plan(aggregate.where, values)
    return ("figures", aggregate.group_by, aggregate.measures, where), values


# --- statements ------------------------------------------------------------------------------


class _Names:
    """Names of binds, in order."""

    def __init__(self) -> None:
        self.all = ["in_district"]

    def bind(self) -> sa.BindParameter[Any]:
        name = f"v_{len(self.all)}"
        self.all.append(name)
        return sa.bindparam(name)


class _Writer:
    """Writes the parts of one statement over one kind's table."""

    def __init__(self, kind: Kind, engine: Engine, *, across: bool = False) -> None:
        self.kind = kind
        self.table = TABLES[kind.name]
        self.engine = engine
        self.across = across
        self.names = _Names()

    def column(self, name: str) -> sa.ColumnElement[Any]:
        return self.table.c[self.kind.column(name).name]

    def here(self) -> sa.ColumnElement[bool]:
        district: sa.Column[Any] = self.table.c[DISTRICT]
        bind: sa.BindParameter[Any] = sa.bindparam("in_district")
        return self.engine.member_of(district, bind) if self.across else district == bind

    def filter(self, plan: Plan) -> sa.ColumnElement[bool]:
        bind = self.names.bind
        match plan:
            case ("compare", name, operator):
                return _OPERATORS[operator](self.column(name), bind())  # type: ignore[no-any-return]
            case ("from to", name):
                column = self.column(name)
                return sa.and_(column >= bind(), column < bind())
            case ("one of", name, 1):
                return self.column(name) == bind()
            case ("one of", name, int(size)):
                return self.column(name).in_([bind() for _ in range(size)])
            case ("members", name):
                return self.engine.member_of(self.column(name), bind())
            case ("unknown", name):
                return self.column(name).is_(None)
            case ("not", inner):
                return sa.not_(self.filter(inner))
            case ("all", _, *_):
                return sa.and_(*[self.filter(p) for p in plan[1:]])
            case ("any", _, *_):
                return sa.or_(*[self.filter(p) for p in plan[1:]])
            case ("all",):
                return _ALWAYS
            case _:
                return _NEVER

    def after(self) -> sa.ColumnElement[bool]:
        columns = [self.column(n) for n in self.kind.key]
        binds = [self.names.bind() for _ in columns]
        if len(columns) == 1:
            return columns[0] > binds[0]
        return sa.tuple_(*columns) > sa.tuple_(*binds)

    def ordered(self, order: Sequence[tuple[str, bool]]) -> Iterator[sa.ColumnElement[Any]]:
        """Unknown values last either way; the key settles ties."""
        for name, descending in order:
            column = self.column(name)
            if self.kind.column(name).nullable:
                yield column.is_(None)
            yield column.desc() if descending else column
        for name in self.kind.key:
            yield self.column(name)

    def sorted_matches(self) -> Iterator[sa.ColumnElement[Any]]:
        """The key's order, for a filter that picks few records: found by index first, sorted then."""
        for name in self.kind.key:
            yield self.engine.sorted_apart(self.column(name))

    def picks_few(self, plan: Plan | None) -> bool:
        """Whether a filter asks for several values of an indexed field."""
        match plan:
            case ("all", *parts):
                return any(self.picks_few(p) for p in parts)
            case ("one of", name, int(size)) if size > 1:
                return self._is_indexed(name)
            case ("members", name):
                return self._is_indexed(name)
            case _:
                return False

    def _is_indexed(self, name: str) -> bool:
        return name == self.kind.key[0] or any(name == i[0] for i in self.kind.indexes)


def make_select(plan: Plan, kind: Kind, engine: Engine) -> Prepared:
    """The statement of a query's plan."""
    chosen, where, order, has_after, has_limit = plan
    writer = _Writer(kind, engine)
    counted = chosen == HOW_MANY
    names = [c.name for c in kind.columns] if chosen == EVERYTHING else () if counted else chosen
    columns = [_ONE] if counted else [writer.column(name) for name in names]
    statement = sa.select(*columns).select_from(writer.table).where(writer.here())
    if where is not None:
        statement = statement.where(writer.filter(where))
    if has_after:
        statement = statement.where(writer.after())
    if has_limit:
        # The bind must not be Core's own for limits, which converts what it is given.
        statement = statement.limit(writer.names.bind())
    if counted:
        count: sa.Select[Any] = sa.select(sa.func.count()).select_from(statement.subquery())
        return Prepared(count, engine.dialect, writer.names.all)
    found_first = not order and not has_after and writer.picks_few(where)
    ordering = writer.sorted_matches() if found_first else writer.ordered(order)
    return Prepared(statement.order_by(*ordering), engine.dialect, writer.names.all)


# --- figures ---------------------------------------------------------------------------------


class Figures:
    """The statement of an aggregate, and how its rows are read.

    Args:
        plan: The aggregate's plan.
        kind: Over which kind.
        engine: For which engine.
        across: For each of several districts, which are bound as a list. The district then leads
            each row, and is grouped by first, so that a distributed database computes each
            district where it lies.
    """

    def __init__(self, plan: Plan, kind: Kind, engine: Engine, *, across: bool = False) -> None:
        _, self._group_by, measures, where = plan
        self._writer = writer = _Writer(kind, engine, across=across)
        self._first = int(across)
        districts = [writer.table.c[DISTRICT]] if across else []
        groups = [*districts, *(self._group(g) for g in self._group_by)]
        self._readers: list[Callable[[Row, dict[str, Any]], None]] = []
        self._columns: list[sa.ColumnElement[Any]] = list(groups)
        for measure in measures:
            self._measure(measure)
        statement = sa.select(*self._columns).select_from(writer.table).where(writer.here())
        if where is not None:
            statement = statement.where(writer.filter(where))
        self.statement: Prepared = Prepared(
            statement.group_by(*groups), engine.dialect, writer.names.all
        )

    def _group(self, group: str) -> sa.ColumnElement[Any]:
        name, _, part = group.partition(":")
        column = self._writer.column(name)
        if not part:
            return column
        return sa.func.substr(column, sa.literal_column("1"), sa.literal_column(str(_CUTS[part])))

    def _add(self, column: sa.ColumnElement[Any]) -> int:
        self._columns.append(column)
        return len(self._columns) - 1

    def _measure(self, measure: Measure) -> None:
        if measure.function == "count" or measure.field is None:
            self._plain(measure.name, sa.func.count())
            return
        column = self._writer.column(measure.field)
        match measure.function:
            case "count_known":
                self._plain(measure.name, sa.func.count(column))
            case "count_distinct":
                self._plain(measure.name, sa.func.count(column.distinct()))
            case "min":
                self._plain(measure.name, sa.func.min(column))
            case "max":
                self._plain(measure.name, sa.func.max(column))
            case "average":
                self._sum(f"{measure.name}_sum", column)
                self._plain(f"{measure.name}_count", sa.func.count(column))
            case "sum":
                self._sum(measure.name, column)

    def _plain(self, name: str, column: sa.ColumnElement[Any]) -> None:
        at = self._add(column)

        def read(row: Row, into: dict[str, Any]) -> None:
            into[name] = row[at]

        self._readers.append(read)

    def _sum(self, name: str, column: sa.ColumnElement[Any]) -> None:
        """A sum beyond 64 bits is exact too: the engine says how."""
        parts, combine = self._writer.engine.exact_sum(column)
        at = [self._add(p) for p in parts]

        def read(row: Row, into: dict[str, Any]) -> None:
            into[name] = combine(*[row[i] for i in at])

        self._readers.append(read)

    def read(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The figures, sorted by group, unknown last."""
        at = slice(self._first, self._first + len(self._group_by))
        found = []
        for row in sorted(rows, key=lambda r: tuple((v is None, v) for v in r[at])):
            figures: dict[str, Any] = dict(zip(self._group_by, row[at], strict=True))
            for read in self._readers:
                read(row, figures)
            found.append(figures)
        return found
