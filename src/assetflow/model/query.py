"""Filters and aggregates as values, and what they mean in Python.

A comparison with an unknown value (``None``) is neither true nor false; it is unknown, also
under ``not``, and a filter keeps a record only when it is true. This is how SQL reads its own
nulls, so that every engine gives the same answer; to ask whether a value is known there is
``is_unknown()``.

>>> from assetflow.model import F
>>> late = (F.lifecycle == "deployed") & ~(F.auto_update_ends >= "2027-07-01")
>>> late.fields()
frozenset({'auto_update_ends', 'lifecycle'})
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

from attrs import field, frozen

from assetflow.errors import InvalidValue
from assetflow.model.fields import Record
from assetflow.model.money import Money

__all__ = [
    "Aggregate",
    "All",
    "AnyOf",
    "Compare",
    "Predicate",
    "F",
    "Field",
    "IsUnknown",
    "Measure",
    "Not",
    "OneOf",
    "Order",
    "Query",
    "StartsWith",
    "average",
    "count",
    "count_distinct",
    "maximum",
    "minimum",
    "total",
    "where_all",
]

R = TypeVar("R", bound=Record)
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Scalar = str | int | bool | date | datetime | Money | enum.Enum | None


def plain(value: Any) -> Any:
    """A value in the form in which all engines compare it: text, a whole number, or ``None``.

    Enums become their word, days and instants ISO text, flags 0 and 1, money minor units.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Money):
        return value.minor
    return value


def instant_text(value: datetime) -> str:
    """An instant as the stores keep it: ``2026-08-17T13:05:00.000000Z``.

    Raises:
        InvalidValue: without a time zone.
    """
    offset = value.utcoffset()
    if offset is None:
        msg = "an instant needs a time zone"
        raise InvalidValue(msg, hint="Use datetime.now(timezone.utc) or zoneinfo.")
    return (value.replace(tzinfo=None) - offset).isoformat(timespec="microseconds") + "Z"


class Predicate:
    """A filter. Combine with ``&``, ``|`` and ``~``."""

    __slots__ = ()

    def test(self, record: object) -> bool | None:
        """``True``, ``False``, or ``None`` when an unknown value leaves it open."""
        raise NotImplementedError

    def fields(self) -> frozenset[str]:
        """Names of the fields that it reads."""
        raise NotImplementedError

    def __and__(self, other: "Predicate") -> "Predicate":
        return All((*_parts(All, self), *_parts(All, other)))

    def __or__(self, other: "Predicate") -> "Predicate":
        return AnyOf((*_parts(AnyOf, self), *_parts(AnyOf, other)))

    def __invert__(self) -> "Predicate":
        return Not(self)

    def __bool__(self) -> bool:
        msg = "a filter has no truth of its own"
        raise InvalidValue(msg, hint="Combine filters with & | ~, not with and, or, not; no chained comparisons.")


def _parts(cls: "type[All] | type[AnyOf]", condition: Predicate) -> tuple[Predicate, ...]:
    return condition.conditions if isinstance(condition, cls) else (condition,)


@frozen
class Compare(Predicate):
    """A field compared with a known value."""

    name: str
    """The field."""
    operator: Operator
    """How."""
    value: Any = field(converter=plain)
    """With what, in plain form; never ``None``."""

    def __attrs_post_init__(self) -> None:
        if self.value is None:
            msg = f"{self.name} is compared with an unknown value, which is never true"
            raise InvalidValue(msg, hint=f"Use F.{self.name}.is_unknown().")
        if not isinstance(self.value, str | int):
            msg = f"{self.name} cannot be compared with a {type(self.value).__name__}"
            raise InvalidValue(msg)

    def test(self, record: object) -> bool | None:
        have = plain(getattr(record, self.name))
        if have is None:
            return None
        if isinstance(have, str) is not isinstance(self.value, str):
            msg = f"{self.name} holds {type(have).__name__}, not {type(self.value).__name__}"
            raise InvalidValue(msg)
        return _COMPARE[self.operator](have, self.value)

    def fields(self) -> frozenset[str]:
        return frozenset({self.name})


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


@frozen
class OneOf(Predicate):
    """A field is one of several known values."""

    name: str
    """The field."""
    values: tuple[Any, ...] = field(converter=lambda vs: tuple(plain(v) for v in vs))
    """The values, in plain form; none for a filter that is never true."""

    def __attrs_post_init__(self) -> None:
        if any(v is None for v in self.values):
            msg = f"{self.name}: an unknown value is in no list"
            raise InvalidValue(msg, hint=f"Use ... | F.{self.name}.is_unknown().")

    def test(self, record: object) -> bool | None:
        have = plain(getattr(record, self.name))
        if not self.values:
            return False
        return None if have is None else have in self.values

    def fields(self) -> frozenset[str]:
        return frozenset({self.name})


@frozen
class StartsWith(Predicate):
    """A text field begins with these characters, case counting."""

    name: str
    """The field."""
    prefix: str
    """The characters."""

    def test(self, record: object) -> bool | None:
        have = plain(getattr(record, self.name))
        return None if have is None else str(have).startswith(self.prefix)

    def fields(self) -> frozenset[str]:
        return frozenset({self.name})


@frozen
class IsUnknown(Predicate):
    """A field has no value."""

    name: str
    """The field."""

    def test(self, record: object) -> bool | None:
        return getattr(record, self.name) is None

    def fields(self) -> frozenset[str]:
        return frozenset({self.name})


@frozen
class Not(Predicate):
    """The opposite; unknown stays unknown."""

    condition: Predicate
    """Of what."""

    def test(self, record: object) -> bool | None:
        inner = self.condition.test(record)
        return None if inner is None else not inner

    def fields(self) -> frozenset[str]:
        return self.condition.fields()


@frozen
class All(Predicate):
    """Every one; true when there is none."""

    conditions: tuple[Predicate, ...]
    """Of these."""

    def test(self, record: object) -> bool | None:
        results = [c.test(record) for c in self.conditions]
        return False if False in results else None if None in results else True

    def fields(self) -> frozenset[str]:
        return frozenset().union(*(c.fields() for c in self.conditions))


@frozen
class AnyOf(Predicate):
    """At least one; false when there is none."""

    conditions: tuple[Predicate, ...]
    """Of these."""

    def test(self, record: object) -> bool | None:
        results = [c.test(record) for c in self.conditions]
        return True if True in results else None if None in results else False

    def fields(self) -> frozenset[str]:
        return frozenset().union(*(c.fields() for c in self.conditions))


def where_all(conditions: Iterable[Predicate]) -> Predicate | None:
    """All of them as one filter; ``None`` when there is none."""
    found = tuple(conditions)
    return None if not found else found[0] if len(found) == 1 else All(found)


class Field:
    """A field to build filters from: ``F.lifecycle == "deployed"``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, value: object) -> Predicate:  # type: ignore[override]  # builds a filter
        return Compare(self.name, "==", value)

    def __ne__(self, value: object) -> Predicate:  # type: ignore[override]  # builds a filter
        return Compare(self.name, "!=", value)

    def __lt__(self, value: Scalar) -> Predicate:
        return Compare(self.name, "<", value)

    def __le__(self, value: Scalar) -> Predicate:
        return Compare(self.name, "<=", value)

    def __gt__(self, value: Scalar) -> Predicate:
        return Compare(self.name, ">", value)

    def __ge__(self, value: Scalar) -> Predicate:
        return Compare(self.name, ">=", value)

    __hash__ = None  # type: ignore[assignment]  # == builds a filter, so it cannot be a key

    def one_of(self, *values: Scalar) -> Predicate:
        """The field is one of these."""
        return OneOf(self.name, values)

    def starts_with(self, prefix: str) -> Predicate:
        """The text begins with these characters, case counting."""
        return StartsWith(self.name, prefix)

    def is_unknown(self) -> Predicate:
        """The field has no value."""
        return IsUnknown(self.name)

    def is_known(self) -> Predicate:
        """The field has a value."""
        return Not(IsUnknown(self.name))

    def __repr__(self) -> str:
        return f"F.{self.name}"


class _Fields:
    __slots__ = ()

    def __getattr__(self, name: str) -> Field:
        if name.startswith("_"):
            raise AttributeError(name)
        return Field(name)


F = _Fields()
"""Builds filters: ``F.asset_tag.starts_with("LHS-") & (F.condition != "broken")``."""


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
        open_fields = sorted(_compared(self.where))
        if not open_fields:
            return None
        missing = AnyOf(tuple(IsUnknown(n) for n in open_fields))
        hidden = All((missing, Not(_certain(self.where))))
        return Query(kind=self.kind, where=hidden)


def _compared(condition: Predicate) -> set[str]:
    match condition:
        case Compare(name=name) | OneOf(name=name) | StartsWith(name=name):
            return {name}
        case Not(condition=inner):
            return _compared(inner)
        case All(conditions=parts) | AnyOf(conditions=parts):
            return set().union(*(_compared(p) for p in parts))
        case _:
            return set()


def _certain(condition: Predicate, *, negated: bool = False) -> Predicate:
    """A filter that is true where *condition* has an answer and false where it is unknown.

    Kleene's logic written out with ``is_unknown``: known-true or known-false.
    """
    return AnyOf((_known(condition, want=True), _known(condition, want=False)))


def _known(condition: Predicate, *, want: bool) -> Predicate:
    match condition:
        case Not(condition=inner):
            return _known(inner, want=not want)
        case All(conditions=parts):
            inside = tuple(_known(p, want=want) for p in parts)
            return All(inside) if want else AnyOf(inside)
        case AnyOf(conditions=parts):
            inside = tuple(_known(p, want=want) for p in parts)
            return AnyOf(inside) if want else All(inside)
        case IsUnknown():
            return condition if want else Not(condition)
        case OneOf(values=()):
            return All(()) if not want else AnyOf(())
        case Compare(name=name) | OneOf(name=name) | StartsWith(name=name):
            return All((Not(IsUnknown(name)), condition if want else Not(condition)))
        case _:
            msg = f"unknown filter {type(condition).__name__}"
            raise InvalidValue(msg)


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
            return {f"{measure.name}_sum": sum(known) if known else None, f"{measure.name}_count": len(known)}
        case "sum":
            return {measure.name: sum(known) if known else None}
        case "min":
            return {measure.name: min(known, default=None)}
        case _:
            return {measure.name: max(known, default=None)}
