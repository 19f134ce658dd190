"""Text that every store can keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["Tally", "clean_text", "encodable", "encode_plain"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_encode = msgspec.json.Encoder().encode


class Tally:
    """Counts the texts in which characters had to be replaced; one for each transaction."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count: int = 0


def clean_text(text: str, tally: Tally | None = None) -> str:
    """The text as a store can keep it: NUL and lone surrogates become U+FFFD.

    PostgreSQL refuses NUL and no encoder accepts half a surrogate pair, so every store replaces
    them alike, here, and says how often.
    """
    if text.isascii() and "\0" not in text:
        return text
    cleaned = _UNSTORABLE.sub(_REPLACEMENT, text)
    if tally is not None and cleaned != text:
        tally.count += 1
    return cleaned


def encodable(text: str) -> bool:
    """Whether a text has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_plain(value: Any, tally: Tally | None = None) -> bytes:
    """Plain data as compact JSON, its texts cleaned. Keys stay in their order."""
    try:
        encoded = _encode(value)
    except UnicodeEncodeError:
        return _encode(_deep_clean(value, tally))
    if b"\\u0000" in encoded:
        return _encode(_deep_clean(value, tally))
    return encoded


def _deep_clean(value: Any, tally: Tally | None) -> Any:
    if isinstance(value, str):
        return clean_text(value, tally)
    if isinstance(value, Mapping):
        return {clean_text(k, tally): _deep_clean(v, tally) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_deep_clean(v, tally) for v in value]
    return value
