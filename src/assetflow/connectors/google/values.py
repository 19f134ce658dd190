"""Google's spellings of instants, days, numbers and identifiers, read into ours. Pure.

The Directory API has no one format: int64 comes as text, a date as a date, an instant or a count
of milliseconds, "never" as the first second of 1970, and a field that nobody filled in as an
empty text or not at all. What is unknown becomes ``None``, never a date far away.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from assetflow.model.query import instant_text

__all__ = [
    "NO_SERIALS",
    "Odd",
    "day",
    "flag",
    "instant",
    "mac",
    "org_unit_id",
    "org_unit_path",
    "serial",
    "text",
    "whole",
]

Odd = str | int | float | None
"""A scalar that a vendor may send as text or as a number, whatever its schema says."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1971, 8999
_SECONDS_BELOW = 100_000_000_000
_LEAST_STAMP = 100_000_000
_HEX = re.compile(r"[0-9a-f]{12}")
_SEPARATORS = str.maketrans("", "", ":-. ")

# What firmware says when the maker wrote no serial number into it (SMBIOS defaults).
_FILLERS = (
    "0123456789",
    "123456789",
    "1234567890",
    "Chassis Serial Number",
    "Default string",
    "Invalid",
    "N/A",
    "NA",
    "None",
    "Not Applicable",
    "Not Available",
    "Not Specified",
    "Null",
    "Serial Number",
    "System Serial Number",
    "To Be Filled By O.E.M.",
    "Unknown",
)
NO_SERIALS = frozenset(
    {
        "",
        *_FILLERS,
        *(filler.upper() for filler in _FILLERS),
        *(filler.lower() for filler in _FILLERS),
        *(char * length for char in "0.-*#Xx" for length in range(1, 33)),
    }
)
"""Texts that stand where a serial number should be, and are none."""


def text(value: Odd) -> str | None:
    """A text as it is; a number as its digits; ``None`` for an empty one."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def serial(value: Odd) -> str | None:
    """A serial number without blanks around it; ``None`` for what only fills its place."""
    found = (text(value) or "").strip()
    return None if found in NO_SERIALS else found


def whole(value: Odd) -> int | None:
    """A count: int64 comes as text. ``None`` when it is missing, below zero or no whole number."""
    if isinstance(value, str):
        stripped = value.strip()
        if not (stripped.isascii() and stripped.isdecimal()) or len(stripped) > 19:
            return None
        return int(stripped)
    if value is None or not 0 <= value < 2**63:  # nor a NaN
        return None
    return int(value) if value == int(value) else None


def flag(value: object) -> bool | None:
    """Yes or no, also as text; ``None`` when it is missing or something else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def mac(value: Odd) -> str | None:
    """A hardware address as twelve lower-case digits; ``None`` for anything else."""
    found = (text(value) or "").translate(_SEPARATORS).lower()
    return found if _HEX.fullmatch(found) and found != "0" * 12 else None


def org_unit_id(value: Odd) -> str | None:
    """An org unit's id without the prefix that only some of Google's interfaces put before it.

    ``id:03ph8a2z`` (org units), ``03ph8a2z`` (devices, telemetry) and ``orgunits/03ph8a2z``
    (Chrome Policy) are one.
    """
    found = (text(value) or "").strip()
    return found.removeprefix("id:").removeprefix("orgunits/") or None


def org_unit_path(value: Odd) -> str | None:
    """An org unit's path as printed; old answers leave the first slash out."""
    found = text(value)
    return found if found is None or found.startswith("/") else f"/{found}"


def _moment(value: Odd) -> datetime | None:
    """The instant that a text or a count of seconds or milliseconds names, in UTC."""
    try:
        if isinstance(value, str):
            found = value.strip()
            if not found.lstrip("-").isdecimal():
                moment = datetime.fromisoformat(found)
                if moment.tzinfo is UTC:
                    return moment
                aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return aware.astimezone(UTC)
            value = int(found[:24])
        if value is None or not value >= _LEAST_STAMP:
            return None
        seconds = value / 1 if value < _SECONDS_BELOW else value / 1000
        return _EPOCH + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def _told(moment: datetime) -> bool:
    """Whether an instant says something: 1970 means never, year 1 and year 9999 mean unset."""
    return _FIRST_YEAR <= moment.year <= _LAST_YEAR


def instant(value: Odd) -> str | None:
    """An instant in UTC as the stores keep it: ``2026-08-17T13:05:00.000000Z``.

    Example:
        >>> instant("2026-11-24T10:11:12.345Z"), instant("1970-01-01T00:00:00.000Z")
        ('2026-11-24T10:11:12.345000Z', None)
    """
    moment = _moment(value)
    if moment is None or not _told(moment):
        return None
    if isinstance(value, str) and len(value) == 24 and value[19] == "." and value[23] == "Z":
        return f"{value[:23]}000Z"  # the usual form, sound by now: only the digits are missing
    return instant_text(moment)


def day(value: Odd) -> date | None:
    """A day: from a date, an instant, or milliseconds since 1970, each in UTC.

    Example:
        >>> day("2031-06-01"), day("1940630400000"), day("0")
        (datetime.date(2031, 6, 1), datetime.date(2031, 7, 1), None)
    """
    moment = _moment(value)
    return moment.date() if moment is not None and _told(moment) else None
