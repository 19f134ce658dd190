"""Filters and aggregates as values, and what they mean in Python.

A comparison with an unknown value (``None``) is neither true nor false; it is unknown, also
under ``not``, and a filter keeps a record only when it is true. This is how SQL reads its own
nulls, so that every engine gives the same answer; to ask whether a value is known there is
``is_unknown()``.

>>> from assetflow.model import F
>>> late = (F.lifecycle == "deployed") & ~(F.auto_update_ends >= "2027-07-01")
>>> sorted(late.fields())
['auto_update_ends', 'lifecycle']
"""

from collections.abc import Iterable
from typing import Any, Generic, Literal, TypeVar

from attrs import frozen

from assetflow.errors import InvalidValue
from assetflow.model.fields import Record
from assetflow.model.filters import (
    All,
    AnyOf,
    Compare,
    F,
    Field,
    IsUnknown,
    Not,
    OneOf,
    Predicate,
    StartsWith,
    certain,
    compared,
    instant_text,
    plain,
    where_all,
)

__all__ = [
    "Aggregate",
    "All",
    "AnyOf",
    "Compare",
    "F",
    "Field",
    "IsUnknown",
    "Measure",
    "Not",
    "OneOf",
    "Order",
    "Predicate",
    "Query",
    "StartsWith",
    "average",
    "count",
    "count_distinct",
    "instant_text",
    "maximum",
    "minimum",
    "plain",
    "total",
    "where_all",
]

R = TypeVar("R", bound=Record)


@frozen
class Order:
    """By which field to sort. Unknown values come last, and the key settles ties."""

    name: str
    """The field."""
    descending: bool = False
    """Largest first."""


@frozen(kw_only=True)
class Query(Generic[R]):
    """Which records of one kind, in which order."""

    kind: type[R]
    """The record class."""
    where: Predicate | None = None
    """Which; ``None`` for all."""
    order: tuple[Order, ...] = ()
    """In which order; by key when empty."""
    limit: int | None = None
    """At most so many."""
    after: tuple[Any, ...] | None = None
    """Only those after this key; for reading on in key order, so not together with ``order``."""

    def __attrs_post_init__(self) -> None:
        if self.after is not None and self.order:
            msg = "reading on after a key is in key order"
            raise InvalidValue(msg)
        if self.limit is not None and self.limit < 0:
            msg = "a limit is not negative"
            raise InvalidValue(msg)

    def unknown(self) -> "Query[R] | None":
        """The records that the filter leaves out only because a field that it compares is unknown."""
        if self.where is None:
            return None
        open_fields = sorted(compared(self.where))
        if not open_fields:
            return None
        missing = AnyOf(tuple(IsUnknown(n) for n in open_fields))
        hidden = All((missing, Not(certain(self.where))))
        return Query(kind=self.kind, where=hidden)


Function = Literal["count", "count_known", "count_distinct", "sum", "min", "max", "average"]


@frozen
class Measure:
    """A number over the records of a group."""

    name: str
    """Its name in the result."""
    function: Function
    """What is computed."""
    field: str | None = None
    """Over which field; ``None`` for counting records."""


def count(name: str = "count") -> Measure:
    """How many records."""
    return Measure(name, "count")


def count_distinct(field_name: str, name: str | None = None) -> Measure:
    """How many different known values."""
    return Measure(name or f"{field_name}_distinct", "count_distinct", field_name)


def total(field_name: str, name: str | None = None) -> Measure:
    """The sum of the known values; unknown when there is none. Money gives minor units."""
    return Measure(name or f"{field_name}_total", "sum", field_name)


def minimum(field_name: str, name: str | None = None) -> Measure:
    """The smallest known value."""
    return Measure(name or f"{field_name}_min", "min", field_name)


def maximum(field_name: str, name: str | None = None) -> Measure:
    """The largest known value."""
    return Measure(name or f"{field_name}_max", "max", field_name)


def average(field_name: str, name: str | None = None) -> Measure:
    """Sum and count of the known values, so that the division happens once, exactly, at the end.

    The result has two entries, ``<name>_sum`` and ``<name>_count``.
    """
    return Measure(name or f"{field_name}_average", "average", field_name)


@frozen(kw_only=True)
class Aggregate(Generic[R]):
    """Figures over the records of one kind: grouped, filtered, measured.

    One value compiles to Python, to SQL and to other engines; what it gives is a list of rows,
    each a mapping from group field or measure name to a plain value, sorted by the group.
    """

    kind: type[R]
    """The record class."""
    group_by: tuple[str, ...] = ()
    """Fields to group by; ``field:month`` and ``field:year`` cut a day or an instant."""
    measures: tuple[Measure, ...] = (Measure("count", "count"),)
    """What to compute."""
    where: Predicate | None = None
    """Over which records; ``None`` for all."""

    def rows(self, records: Iterable[R]) -> list[dict[str, Any]]:
        """What it means: the figures over these records."""
        groups: dict[tuple[Any, ...], list[R]] = {}
        for record in records:
            if self.where is None or self.where.test(record) is True:
                groups.setdefault(tuple(_cut(record, g) for g in self.group_by), []).append(record)
        if not self.group_by and not groups:
            groups[()] = []
        rows = []
        for key in sorted(groups, key=lambda k: tuple((v is None, v) for v in k)):
            row: dict[str, Any] = dict(zip(self.group_by, key, strict=True))
            for measure in self.measures:
                row.update(_measure(measure, groups[key]))
            rows.append(row)
        return rows


_CUTS = {"month": 7, "year": 4}


def _cut(record: object, group: str) -> Any:
    name, _, part = group.partition(":")
    value = plain(getattr(record, name))
    if not part:
        return value
    if part not in _CUTS:
        msg = f"a group is cut by month or year, not by {part!r}"
        raise InvalidValue(msg)
    return None if value is None else str(value)[: _CUTS[part]]


def _measure(measure: Measure, records: list[R]) -> dict[str, Any]:
    if measure.function == "count":
        return {measure.name: len(records)}
    if measure.field is None:
        msg = f"{measure.function} needs a field"
        raise InvalidValue(msg)
    known = [v for v in (plain(getattr(r, measure.field)) for r in records) if v is not None]
    match measure.function:
        case "count_known":
            return {measure.name: len(known)}
        case "count_distinct":
            return {measure.name: len(set(known))}
        case "average":
            return {
                f"{measure.name}_sum": sum(known) if known else None,
                f"{measure.name}_count": len(known),
            }
        case "sum":
            return {measure.name: sum(known) if known else None}
        case "min":
            return {measure.name: min(known, default=None)}
        case _:
            return {measure.name: max(known, default=None)}
