"""Values as a caller gives them: texts from outside made safe, words and days read strictly."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from assetflow.errors import ConfigError, InvalidValue
from assetflow.model import District

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction

__all__ = ["day", "day_in_district", "line", "word", "zone_of"]

E = TypeVar("E", bound=enum.Enum)

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
