"""Values as a caller gives them: texts from outside made safe, words and days read strictly."""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from assetflow.errors import ConfigError, InvalidValue
from assetflow.model import District

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction

__all__ = [
    "a",
    "count",
    "day",
    "day_in_district",
    "line",
    "listed",
    "said_day",
    "said_word",
    "seconds_of",
    "word",
    "zone_of",
]

E = TypeVar("E", bound=enum.Enum)
T = TypeVar("T")

_LONGEST = 255


def line(value: object, what: str, *, longest: int = _LONGEST) -> str:
    """One line of text without space around it.

    A scanner ends with Enter, and a bad one sends control characters: the first is taken off,
    the second refused. The value never stands in the error; it may be a name.

    Args:
        value: What was given.
        what: What it is, for the error: ``a device's tag``.
        longest: Most characters.

    Raises:
        InvalidValue: not text, empty, too long, or with control characters or half characters.
    """
    if not isinstance(value, str):
        raise InvalidValue(f"{what} is text, not {type(value).__name__}")
    if len(value) > 4 * longest:
        raise InvalidValue(f"{what} has at most {longest} characters", length=len(value))
    text = value.strip()
    if not text:
        raise InvalidValue(f"{what} is empty")
    if len(text) > longest:
        raise InvalidValue(f"{what} has at most {longest} characters", length=len(text))
    if not text.isprintable():
        hint = "A scanner may have sent two labels in one line; scan again."
        raise InvalidValue(f"{what} holds characters that cannot be printed", hint=hint)
    return text


def a(kind: type[T], value: object, what: str) -> T:
    """A value of a class, where nothing else will do.

    Raises:
        InvalidValue: something else.
    """
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise InvalidValue(f"{what} is a {kind.__name__}, not a {type(value).__name__}")


def count(value: object, what: str, *, least: int = 0) -> int:
    """A whole number.

    Raises:
        InvalidValue: not one, or less than *least*.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidValue(f"{what} is a whole number, not a {type(value).__name__}")
    if value < least:
        raise InvalidValue(f"{what} is at least {least}")
    return value


def listed(kind: type[T], values: object, what: str) -> tuple[T, ...]:
    """Values of one class as a tuple. One text is no list, although Python can go through it.

    Raises:
        InvalidValue: not a list of such.
    """
    named = "texts" if kind is str else f"{kind.__name__}s"
    if not isinstance(values, Collection) or isinstance(values, str | bytes):
        raise InvalidValue(
            f"{what} are a list of {named}", hint="Put what it is into a list: [...]."
        )
    found = tuple(values)
    if not all(isinstance(value, kind) and not isinstance(value, bool) for value in found):
        raise InvalidValue(f"{what} are a list of {named}, and hold something else")
    return found


def said_word(kind: type[E], value: E | str, what: str) -> E:
    """[`word`][assetflow.workflows.given.word], where one is needed.

    Raises:
        InvalidValue: none, or none of the words.
    """
    found = word(kind, value, what)
    if found is None:
        words = ", ".join(str(member.value) for member in kind)
        raise InvalidValue(f"{what} is needed", hint=f"One of: {words}.")
    return found


def said_day(value: date | str, what: str) -> date:
    """[`day`][assetflow.workflows.given.day], where one is needed.

    Raises:
        InvalidValue: none, or not a day.
    """
    found = day(value, what)
    if found is None:
        raise InvalidValue(f"{what} is needed", hint="Write 2027-06-04 or date(2027, 6, 4).")
    return found


def seconds_of(value: object, what: str) -> float:
    """A number of seconds.

    Raises:
        InvalidValue: not a number, or a negative one.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
        raise InvalidValue(f"{what} is a number of seconds, not a {type(value).__name__}")
    return value


def word(kind: type[E], value: E | str | None, what: str) -> E | None:
    """A value of a closed set, given as itself or as its word.

    Raises:
        InvalidValue: none of the words.
    """
    if value is None or isinstance(value, kind):
        return value
    try:
        return kind(value)
    except ValueError:
        pass
    words = ", ".join(str(member.value) for member in kind)
    raise InvalidValue(f"{what} is none of the words", hint=f"One of: {words}.")


def day(value: date | str | None, what: str) -> date | None:
    """A day, given as a date or as ``2027-06-04``.

    Raises:
        InvalidValue: not a day; an instant is none, since its day depends on the zone.
    """
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    if isinstance(value, str) and len(value) == len("2027-06-04"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise InvalidValue(f"{what} is not a day", hint="Write 2027-06-04 or date(2027, 6, 4).")


def day_in_district(tx: ReadTransaction, instant: datetime) -> date:
    """The day of an instant where the district is.

    Raises:
        ConfigError: the district's time zone is not known on this machine.
    """
    return instant.astimezone(zone_of(tx)).date()


def zone_of(tx: ReadTransaction) -> tzinfo:
    """The district's time zone; UTC while the district has no record of its own.

    Raises:
        ConfigError: it is not known on this machine.
    """
    district = tx.get(District, tx.district)
    if district is None:
        return UTC
    try:
        return ZoneInfo(district.time_zone)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        pass
    hint = "Correct the district's time zone, or install the package tzdata."
    raise ConfigError("the district's time zone is not known here", hint=hint)
