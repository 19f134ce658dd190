"""What a spreadsheet does to a cell on its way, told so that it can be refused instead of believed."""

from __future__ import annotations

import re

__all__ = ["bare", "is_placeholder", "spoilt_identifier", "spoilt_text"]

_INVISIBLE = dict.fromkeys([0xFEFF, 0x200B, 0x2060, 0x00AD])
_DASHES = {"-", "--", "---", "—", "–"}
_PLACEHOLDERS = {
    "n/a", "na", "none", "null", "nil", "nan", "unknown", "tbd", "not available", "not applicable",
    "to be filled by o.e.m.", "default string", "system serial number", "no asset tag", "no tag",
}  # fmt: skip
_SHEET_ERROR = re.compile(
    r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|#+)", re.IGNORECASE
)
_SHORTENED = re.compile(r"\d+([.,]\d+)?E\+\d+|\d+[.,]\d+E-\d+", re.IGNORECASE | re.ASCII)
_DECIMAL = re.compile(r"\d+\.0+", re.ASCII)


def bare(cell: str) -> str:
    """A cell without the blanks around it and without characters that nobody sees."""
    return (cell if cell.isascii() else cell.translate(_INVISIBLE)).strip()


def is_placeholder(text: str) -> bool:
    """Whether a cell says in words that there is nothing: ``N/A``, ``None``, a dash."""
    return text in _DASHES or text.casefold() in _PLACEHOLDERS


def spoilt_text(text: str) -> str | None:
    """Why a bare cell is no text, as a code; ``None`` when it is.

    ``formula``, ``spreadsheet-error`` such as ``#REF!``, ``control-character``.
    """
    if text.startswith("="):
        return "formula"
    if text.startswith("#") and _SHEET_ERROR.fullmatch(text):
        return "spreadsheet-error"
    if not text.isprintable() and any(map(_is_control, text)):
        return "control-character"
    return None


def spoilt_identifier(text: str) -> str | None:
    """Why a bare cell is no identifier any more, as a code; ``None`` when it may be one.

    ``shortened-number`` such as ``1.2E+11``, ``decimal-number`` such as ``204881.0``,
    ``line-break``.
    """
    if _SHORTENED.fullmatch(text):
        return "shortened-number"
    if _DECIMAL.fullmatch(text):
        return "decimal-number"
    if any(c in text for c in "\t\r\n"):
        return "line-break"
    return None


def _is_control(c: str) -> bool:
    return (c < " " and c not in "\t\r\n") or "\x7f" <= c <= "\x9f"
