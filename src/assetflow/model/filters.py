"""Filters as values, and what they mean in Python. See [`query`][assetflow.model.query]."""

import enum
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal

from attrs import field, frozen

from assetflow.errors import InvalidValue
from assetflow.model.money import Money

__all__ = [
    "All",
    "AnyOf",
    "Compare",
    "F",
    "Field",
    "IsUnknown",
    "Not",
    "OneOf",
    "Predicate",
    "StartsWith",
    "certain",
    "compared",
    "instant_text",
    "plain",
    "where_all",
]

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
        raise InvalidValue(
            msg, hint="Combine filters with & | ~, not with and, or, not; no chained comparisons."
        )


def _parts(cls: "type[All | AnyOf]", condition: Predicate) -> tuple[Predicate, ...]:
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


def _plain_values(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(plain(v) for v in values)


@frozen
class OneOf(Predicate):
    """A field is one of several known values."""

    name: str
    """The field."""
    values: tuple[Any, ...] = field(converter=_plain_values)
    """The values, in plain form; none for a filter that is never true."""

    def __attrs_post_init__(self) -> None:
        for value in self.values:
            if value is None:
                msg = f"{self.name}: an unknown value is in no list"
                raise InvalidValue(msg, hint=f"Use ... | F.{self.name}.is_unknown().")
            if not isinstance(value, str | int):
                msg = f"{self.name} cannot be compared with a {type(value).__name__}"
                raise InvalidValue(msg)

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


class Field:  # noqa: PLW1641  # == builds a filter: no hash
    """A field to build filters from: ``F.lifecycle == "deployed"``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name: str = name

    # == builds a filter, so a field cannot be the key of a mapping: Python takes the hash away
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


def compared(condition: Predicate) -> set[str]:
    """Names of the fields that a filter compares, so that an unknown one leaves it open."""
    match condition:
        case Compare(name=name) | OneOf(name=name) | StartsWith(name=name):
            return {name}
        case Not(condition=inner):
            return compared(inner)
        case All(conditions=parts) | AnyOf(conditions=parts):
            return set().union(*(compared(p) for p in parts))
        case _:
            return set()


def certain(condition: Predicate) -> Predicate:
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
