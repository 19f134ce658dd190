"""Hypothesis strategies for everything that a store keeps, and for questions about it.

```python
from hypothesis import given
from assetflow.model import Device
from assetflow.testing import strategies


@given(strategies.record(Device))
def test_label(device): ...
```

A record's fields are drawn one by one, each from all that its column can hold: any text that can
be stored, the ends of 64 bits, the first and the last day. Fields that refer to other records
hold ids of nothing in particular; `assetflow.testing.stores` shows how to give them a target.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import attrs
from hypothesis import strategies as st

from assetflow.model import (
    EVENT_TYPES,
    INTENT_TYPES,
    Event,
    Intent,
    Money,
    Predicate,
    Record,
    SchoolCalendar,
    Stamp,
)
from assetflow.model.query import (
    All,
    AnyOf,
    Compare,
    IsUnknown,
    Not,
    OneOf,
    StartsWith,
)
from assetflow.store.schema import Column, ColumnType, kind_of

__all__ = [
    "alike",
    "event",
    "events",
    "ids",
    "instants",
    "intents",
    "money",
    "predicates",
    "record",
    "stamps",
    "texts",
]

R = TypeVar("R", bound=Record)
Strategy = st.SearchStrategy

_INT64 = 2**63 - 1
# Few values, so that records of a handful share some; each pair differs in one thing that an
# engine may take for equal: case, space, accent, order beyond the basic plane, a wildcard.
_FEW_TEXTS = (
    "",
    "a",
    "A",
    "a ",
    "ab",
    "a%",
    "a_b",
    "b",
    "é",
    "e\u0301",
    "Ω",
    "\uffff",
    "\U0001f600",
)
_FEW_INTEGERS = (-1, 0, 1, 10_000)
_FEW_DAYS = (date(1999, 12, 31), date(2026, 8, 17), date(2027, 6, 30))
_FEW_INSTANTS = tuple(
    datetime(2026, m, 1, 0, 0, 0, us, tzinfo=UTC) for m in (7, 8) for us in (0, 1)
)


# --- single values -------------------------------------------------------------------------


def texts(most: int = 40, *, least: int = 0) -> Strategy[str]:
    """Texts that a store gives back as they are: no NUL, no half of a surrogate pair.

    Args:
        most: Most characters.
        least: Fewest characters.
    """
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    return st.text(letters, min_size=least, max_size=most)


def ids() -> Strategy[str]:
    """Ids: mostly as the library makes them, now and then what another system might hand in."""
    return st.uuids(version=4).map(str) | texts(30, least=1)


def instants() -> Strategy[datetime]:
    """Instants in UTC, to the microsecond."""
    return st.datetimes(timezones=st.just(UTC))


def money() -> Strategy[Money]:
    """Any amount that fits, in several currencies."""
    return st.builds(
        Money,
        st.integers(-_INT64, _INT64) | st.integers(-100_000, 100_000),
        st.sampled_from(["USD", "EUR", "JPY"]),
    )


def stamps() -> Strategy[Stamp]:
    """Who, when and why."""
    return st.builds(
        Stamp,
        actor_id=ids(),
        recorded_at=instants(),
        effective_at=st.none() | instants(),
        reason=st.none() | texts(20),
        note_id=st.none() | ids(),
        batch_id=st.none() | ids(),
    )


# --- from types ----------------------------------------------------------------------------


def _from_type(python: Any) -> Strategy[Any]:
    """Values of a type that stands in an event, an intent or a JSON column."""
    while hasattr(python, "__supertype__"):
        python = python.__supertype__
    if type(None) in get_args(python):
        inner = next(a for a in get_args(python) if a is not type(None))
        return st.none() | _from_type(inner)
    if get_origin(python) is tuple:
        return st.lists(_from_type(get_args(python)[0]), max_size=3).map(tuple)
    if get_origin(python) is Mapping:
        key, value = get_args(python)
        pairs = st.dictionaries(_from_type(key), _from_type(value), max_size=3)
        return pairs.map(MappingProxyType)
    if isinstance(python, type) and issubclass(python, enum.Enum):
        return st.sampled_from(list(python))
    if attrs.has(python) and python is not Money:
        hints = get_type_hints(python)
        return st.builds(
            python, **{f.name: _from_type(hints[f.name]) for f in attrs.fields(python)}
        )
    return _SINGLE[python]()


_SINGLE: Mapping[Any, Callable[[], Strategy[Any]]] = {
    str: texts,
    int: lambda: st.integers(-_INT64 - 1, _INT64),
    bool: st.booleans,
    bytes: lambda: st.binary(max_size=40),
    date: st.dates,
    datetime: instants,
    Money: money,
}


def event(cls: type[Event]) -> Strategy[Event]:
    """Events of one class."""
    return _from_type(cls)


def events() -> Strategy[Event]:
    """Events of every class."""
    return st.one_of([event(cls) for cls in EVENT_TYPES.values()])


def intents() -> Strategy[Intent]:
    """Intents of every class."""
    return st.one_of([_from_type(cls) for cls in INTENT_TYPES.values()])


# --- records -------------------------------------------------------------------------------


def _field(column: Column, key: bool) -> Strategy[Any]:
    if column.field == "version":
        return st.integers(1, 2**62)
    if column.python is str:
        longest = min(column.length or 60, 60)
        inner = ids() if column.length == 64 else texts(longest, least=1 if key else 0)
    else:
        inner = _from_type(column.python)
    return st.none() | inner if column.nullable else inner


def _calendars(fields: dict[str, Strategy[Any]]) -> Strategy[SchoolCalendar]:
    """School calendars that hold together: they end after they begin, closed days in order."""

    @st.composite
    def build(draw: st.DrawFn) -> SchoolCalendar:
        days = sorted(draw(st.lists(st.dates(), min_size=4, max_size=8, unique=True)))
        names = draw(st.lists(texts(10), min_size=4, max_size=4))
        spans = list(zip(days[1:-1:2], days[2:-1:2], names, strict=False))
        closed = [{"first": a, "last": b, "name": n} for a, b, n in spans]
        given = {name: draw(strategy) for name, strategy in fields.items()}
        given |= {"first_day": days[0], "last_day": days[-1]}
        given["weekdays"] = tuple(draw(st.lists(st.integers(0, 6), min_size=1, unique=True)))
        hints = get_type_hints(SchoolCalendar)
        span_class = get_args(hints["closed"])[0]
        given["closed"] = tuple(span_class(**c) for c in closed)
        return SchoolCalendar(**given)

    return build()


def record(cls: type[R]) -> Strategy[R]:
    """Records of one class, each field from all that its column can hold."""
    kind = kind_of(cls)
    columns = [c for c in kind.columns if c.type is not ColumnType.CURRENCY]
    fields = {c.field: _field(c, c.field in kind.key) for c in columns}
    if cls is SchoolCalendar:
        return _calendars(fields)  # type: ignore[return-value]  # R is SchoolCalendar here
    return st.builds(cls, **fields)


def _few(column: Column) -> Sequence[Any]:
    """The few values from which `alike` draws a field."""
    match column.type:
        case ColumnType.TEXT if column.python is str:
            few: Sequence[Any] = _FEW_TEXTS
        case ColumnType.TEXT:
            few = list(column.python)[:4]
        case ColumnType.INTEGER:
            few = _FEW_INTEGERS
        case ColumnType.MINOR:
            few = [Money(n) for n in _FEW_INTEGERS]
        case ColumnType.FLAG:
            few = (False, True)
        case ColumnType.DATE:
            few = _FEW_DAYS
        case ColumnType.INSTANT:
            few = _FEW_INSTANTS
        case ColumnType.JSON:
            few = ((),)
        case _:
            few = (b"", b"\0\xff")
    return (None, *few) if column.nullable else few


def alike(cls: type[R]) -> Strategy[R]:
    """Records whose fields take few values, so that filters select some and groups hold several.

    Keys are drawn freely, and nothing is referred to.
    """
    kind = kind_of(cls)
    refers = {name for name, _ in kind.refers}
    fields: dict[str, Strategy[Any]] = {}
    for column in kind.columns:
        if column.type is ColumnType.CURRENCY:
            continue
        if column.field in kind.key:
            fields[column.field] = _field(column, key=True)
        elif column.field in refers and column.nullable:
            fields[column.field] = st.none()
        else:
            fields[column.field] = st.sampled_from(_few(column))
    return st.builds(cls, **fields)


# --- questions -----------------------------------------------------------------------------


def _leaf(column: Column) -> Strategy[Predicate]:
    name = column.field
    known = st.sampled_from([v for v in _few(column) if v is not None])
    compared: Any = st.builds(
        Compare, st.just(name), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), known
    )
    listed: Any = st.builds(OneOf, st.just(name), st.lists(known, max_size=3).map(tuple))
    unknown: Any = st.just(IsUnknown(name))
    leaves = [compared, listed, unknown]
    if column.python is str:
        leaves.append(st.builds(StartsWith, st.just(name), st.sampled_from(_FEW_TEXTS)))
    return st.one_of(leaves)


def predicates(cls: type[Record]) -> Strategy[Predicate]:
    """Filters over the fields of a record class, nested, with values that `alike` draws."""
    apart = {ColumnType.JSON, ColumnType.BYTES, ColumnType.CURRENCY}
    columns = [c for c in kind_of(cls).columns if c.type not in apart]
    leaves = st.one_of([_leaf(c) for c in columns])

    def grow(inner: Strategy[Predicate]) -> Strategy[Predicate]:
        several = st.lists(inner, max_size=3).map(tuple)
        return st.builds(Not, inner) | st.builds(All, several) | st.builds(AnyOf, several)

    return st.recursive(leaves, grow, max_leaves=6)
