"""Cells to values: text in, a value or a finding out. Nothing is guessed silently.

An identifier stays the text that it is. What a spreadsheet did to it on the way (``1E+21``, a
formula, ``#REF!``, ``204881.0``) is refused with the row, since the original can no longer be
told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from assetflow.errors import InvalidValue
from assetflow.exchange.imports.plan import Finding
from assetflow.files import bare, spoilt_identifier, spoilt_text
from assetflow.model import Money

__all__ = [
    "CLEAR",
    "BadCell",
    "clean",
    "flag",
    "identifier",
    "money",
    "read_date",
    "slash_date",
    "whole_number",
    "word",
]

CLEAR = "(clear)"
"""The cell that empties a field. An empty cell leaves the field alone."""

_SPOILT = {
    "formula": "holds a formula; put the value itself in its place",
    "spreadsheet-error": "holds an error of the spreadsheet, not a value",
    "control-character": "holds a character that cannot be printed",
    "shortened-number": "reads like a number that a spreadsheet shortened; format the column as text and enter it again",
    "decimal-number": "reads like a number with decimals; format the column as text and enter it again",
    "line-break": "holds a line break",
}
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})([T ]00:00(:00(\.0+)?)?Z?)?", re.ASCII)
_SLASHES = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})( 0?0:00(:00)?| 12:00(:00)? ?AM)?", re.ASCII | re.IGNORECASE
)
_YEARS = range(1970, 2101)
_YES = {"yes", "y", "true", "t", "1", "x", "on", "✓", "✔"}
_NO = {"no", "n", "false", "f", "0", "off"}


class BadCell(Exception):
    """A cell that cannot be what its column says. Holds no part of it."""

    def __init__(self, code: str, reason: str, *, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.code: str = code
        self.reason: str = reason
        self.candidates: tuple[str, ...] = candidates

    def finding(self, column: str | None) -> Finding:
        """The finding about a column."""
        return Finding(
            code=self.code, reason=self.reason, column=column, candidates=self.candidates
        )


def clean(cell: str) -> str:
    """A cell without the blanks around it and without characters that nobody sees.

    Raises:
        BadCell: a formula, an error of the spreadsheet, or a control character.
    """
    text = bare(cell)
    _refuse(spoilt_text(text))
    return text


def identifier(text: str) -> str:
    """A tag, serial or number of a person, as the text that it is.

    Raises:
        BadCell: what a spreadsheet made of a number, or a line break.
    """
    _refuse(spoilt_identifier(text))
    return text


def _refuse(code: str | None) -> None:
    if code is not None:
        raise BadCell(code, _SPOILT[code])


def word(text: str, words: Mapping[str, Any]) -> Any:
    """What a word of a table means.

    Args:
        text: The cell.
        words: Words in lower case, spaces for hyphens and underscores, to their meaning.

    Raises:
        BadCell: the table has no such word.
    """
    key = " ".join(text.casefold().replace("_", " ").replace("-", " ").split())
    if key not in words:
        raise BadCell(
            "unknown-word", "is none of the words that are known here; the how-to lists them"
        )
    return words[key]


def money(text: str, currency: str) -> Money:
    """An amount that is not negative.

    Raises:
        BadCell: not a plain amount.
    """
    try:
        amount = Money.parse(text, currency)
    except InvalidValue:
        raise BadCell("money", "is not a plain amount of money, such as 1,299.95") from None
    if amount.minor < 0:
        raise BadCell("money", "is a negative amount")
    return amount


def whole_number(text: str) -> int:
    """A whole number, commas between thousands allowed.

    Raises:
        BadCell: anything else.
    """
    if not re.fullmatch(r"-?(\d{1,3}(,\d{3})+|\d{1,15})", text, re.ASCII):
        raise BadCell("number", "is not a whole number")
    return int(text.replace(",", ""))


def flag(text: str) -> bool:
    """Yes or no.

    Raises:
        BadCell: anything else.
    """
    key = text.casefold()
    if key in _YES or key in _NO:
        return key in _YES
    raise BadCell("flag", "is neither yes nor no")


def slash_date(text: str) -> tuple[int, int] | None:
    """The first two numbers of a date with slashes; ``None`` for anything else."""
    found = _SLASHES.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def read_date(text: str, *, day_first: bool | None) -> date:
    """A day: ``2026-08-17``, or ``8/17/2026`` where it is said which number is the month.

    Args:
        text: The cell.
        day_first: Whether dates with slashes begin with the day; ``None`` when that cannot be
            told from the column.

    Raises:
        BadCell: no day, a year of two digits, or month and day that cannot be told apart.
    """
    if found := _ISO.fullmatch(text):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if not (found := _SLASHES.fullmatch(text)):
        raise BadCell("date", "is not a date; write 2026-08-17")
    if len(found[3]) == 2:
        raise BadCell("date-short-year", "is a date whose year has two digits; write 2026-08-17")
    if day_first is None:
        raise BadCell(
            "date-ambiguous",
            "is a date whose month and day cannot be told apart in this column; write 2026-08-17, or say day_first=",
        )
    first, second = int(found[1]), int(found[2])
    month, day = (second, first) if day_first else (first, second)
    return _day(int(found[3]), month, day)


def _day(year: int, month: int, day: int) -> date:
    if year not in _YEARS:
        raise BadCell("date", f"is a date outside {_YEARS[0]} to {_YEARS[-1]}")
    try:
        return date(year, month, day)
    except ValueError:
        raise BadCell("date", "is a day that does not exist") from None
