"""What every store asks of a query, a figure and a key before it looks at any record.

Python, SQLite and PostgreSQL differ over text compared with a number, over a name that is not
there and over half a surrogate pair. Here all of that is decided once, so that a store only ever
sees names that exist, comparisons that mean something, and clean text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve

from assetflow.codec import Column, ColumnType, clean_text
from assetflow.codec.values import is_enum
from assetflow.errors import InvalidValue
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
    plain,
)
from assetflow.store.schema import Kind, kind_of

if TYPE_CHECKING:
    from assetflow.model import Record

    R = TypeVar("R", bound=Record)
else:
    R = TypeVar("R")

__all__ = ["checked_aggregate", "checked_columns", "checked_key", "checked_query"]

_TEXTS = {ColumnType.TEXT, ColumnType.INSTANT, ColumnType.DATE, ColumnType.CURRENCY}
_NUMBERS = {ColumnType.INTEGER, ColumnType.FLAG, ColumnType.MINOR}
_INT64 = 2**63 - 1
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d{1,6})?)?)?Z?)?)?)?", re.ASCII)


def checked_query(query: Query[R]) -> tuple[Kind, Query[R]]:
    """The query's kind, and the query with its texts cleaned.

    Raises:
        InvalidValue: a name that is not there, or a comparison that means nothing.
    """
    kind = kind_of(query.kind)
    where = None if query.where is None else _predicate(kind, query.where)
    after = None if query.after is None else checked_key(kind, query.after)
    for order in query.order:
        _comparable(kind, order.name)
    if where is query.where and after == query.after:
        return kind, query
    return kind, evolve(query, where=where, after=after)


def checked_aggregate(aggregate: Aggregate[R]) -> tuple[Kind, Aggregate[R]]:
    """The aggregate's kind, and the aggregate with its texts cleaned.

    Raises:
        InvalidValue: a name that is not there, a figure that means nothing, a name used twice.
    """
    kind = kind_of(aggregate.kind)
    where = None if aggregate.where is None else _predicate(kind, aggregate.where)
    names = list(aggregate.group_by)
    for group in aggregate.group_by:
        _group(kind, group)
    for measure in aggregate.measures:
        names += _measure(kind, measure)
    if len(set(names)) < len(names):
        msg = "two figures of an aggregate have one name"
        raise InvalidValue(msg)
    return kind, aggregate if where is aggregate.where else evolve(aggregate, where=where)


def checked_columns(kind: Kind, names: Sequence[str]) -> list[Column]:
    """The columns of these fields or columns.

    Raises:
        InvalidValue: a name that is not there.
    """
    return [kind.column(name) for name in names]


def checked_key(kind: Kind, key: Sequence[Any]) -> tuple[Any, ...]:
    """A key in plain form, its texts cleaned.

    Raises:
        InvalidValue: too few or too many values, or one that such a key never holds.
    """
    if len(key) != len(kind.key):
        msg = f"the key of a {kind.name} is {', '.join(kind.key)}"
        raise InvalidValue(msg, kind=kind.name)
    return tuple(_operand(kind, name, plain(v)) for name, v in zip(kind.key, key, strict=True))


def _comparable(kind: Kind, name: str) -> Column:
    column = kind.field_column(name)
    if column.type not in _TEXTS and column.type not in _NUMBERS:
        msg = f"{kind.name}.{name} holds {column.type.value}, which is not compared or counted"
        raise InvalidValue(msg, kind=kind.name, field=name)
    return column


@lru_cache(maxsize=1024)
def _holds_text(kind: Kind, name: str) -> bool:
    """Whether a field that can be compared holds text; if not, it holds numbers."""
    return _comparable(kind, name).type in _TEXTS


def _operand(kind: Kind, name: str, value: Any) -> Any:
    """A plain value that a field can be compared with."""
    text = _holds_text(kind, name)
    if text and isinstance(value, str):
        return clean_text(value)
    if not text and isinstance(value, int) and -_INT64 - 1 <= value <= _INT64:
        return value
    wanted = "text" if text else "a whole number of at most 64 bits"
    msg = f"{kind.name}.{name} is compared with {wanted}"
    raise InvalidValue(msg, kind=kind.name, field=name)


def _compared(kind: Kind, name: str, value: Any) -> Any:
    """A plain value that a filter compares a field with: a word, a day or an instant where it holds one.

    A misspelt word would keep nothing, and look like a district without such devices.
    """
    clean = _operand(kind, name, value)
    wanted = _wanted(kind, name)
    if wanted is None:
        return clean
    if isinstance(wanted, frozenset):
        if clean not in wanted:
            msg = f"{kind.name}.{name} never holds that word"
            hint = f"One of: {', '.join(sorted(wanted))}."
            raise InvalidValue(msg, hint=hint, kind=kind.name, field=name)
    elif not wanted(clean):
        hint = "Write 2027-06-04 or date(2027, 6, 4)."
        if wanted is _is_instant:
            hint = "Write an instant with its zone, or how its text begins, such as 2026-08-17."
        msg = f"{kind.name}.{name} is compared with no such text"
        raise InvalidValue(msg, hint=hint, kind=kind.name, field=name)
    return clean


@lru_cache(maxsize=1024)
def _wanted(kind: Kind, name: str) -> frozenset[str] | Callable[[str], bool] | None:
    """The words that a field holds, or what tells its days or instants from other text."""
    column = _comparable(kind, name)
    if is_enum(column.python):
        return frozenset(str(word.value) for word in column.python)
    return {ColumnType.DATE: _is_day, ColumnType.INSTANT: _is_instant}.get(column.type)


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_instant(text: str) -> bool:
    """Whether an instant's text may begin so; cut anywhere it still has its place in the order."""
    if not _INSTANT.fullmatch(text):
        return False
    rest = "2000-01-01T00:00:00"
    try:
        datetime.fromisoformat((text[:19] + rest[len(text[:19]) :]).replace("Z", ""))
    except ValueError:
        return False
    return True


def _predicate(kind: Kind, where: Predicate) -> Predicate:
    """The filter with its texts cleaned; the same object when nothing was to be cleaned."""
    match where:
        case Compare(name=name, value=value):
            clean = _compared(kind, name, value)
            return where if clean == value else evolve(where, value=clean)
        case OneOf(name=name, values=values):
            cleaned = tuple(_compared(kind, name, v) for v in values)
            _comparable(kind, name)
            return where if cleaned == values else evolve(where, values=cleaned)
        case StartsWith(name=name, prefix=prefix):
            if _comparable(kind, name).type not in _TEXTS:
                msg = f"{kind.name}.{name} is not text, so it begins with no characters"
                raise InvalidValue(msg, kind=kind.name, field=name)
            clean = clean_text(prefix)
            return where if clean == prefix else evolve(where, prefix=clean)
        case IsUnknown(name=name):
            kind.field_column(name)
            return where
        case Not(condition=inner):
            done = _predicate(kind, inner)
            return where if done is inner else Not(done)
        case All(conditions=parts) | AnyOf(conditions=parts):
            checked = tuple(_predicate(kind, p) for p in parts)
            same = all(a is b for a, b in zip(checked, parts, strict=True))
            return where if same else type(where)(checked)
        case _:
            msg = f"{type(where).__name__} is not a filter that stores know"
            raise InvalidValue(msg)


def _group(kind: Kind, group: str) -> None:
    name, _, part = group.partition(":")
    column = _comparable(kind, name)
    if part and (part not in ("month", "year") or column.type not in _TEXTS):
        msg = f"{kind.name}.{name} is not a day that can be cut by {part!r}"
        raise InvalidValue(msg, hint="field:month or field:year", kind=kind.name, field=name)


def _measure(kind: Kind, measure: Measure) -> list[str]:
    """Names in the result."""
    if measure.function == "count":
        return [measure.name]
    if measure.field is None:
        msg = f"{measure.function} needs a field"
        raise InvalidValue(msg)
    column = _comparable(kind, measure.field)
    if measure.function in ("sum", "average") and column.type not in _NUMBERS:
        msg = f"{kind.name}.{measure.field} is text and has no {measure.function}"
        raise InvalidValue(msg, kind=kind.name, field=measure.field)
    if measure.function == "average":
        return [f"{measure.name}_sum", f"{measure.name}_count"]
    if measure.function not in ("count_known", "count_distinct", "sum", "min", "max"):
        msg = f"{measure.function!r} is not a figure"
        raise InvalidValue(msg)
    return [measure.name]
