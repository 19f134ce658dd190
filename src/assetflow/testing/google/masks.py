"""``fields``: the mask that says which parts of an answer are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from assetflow.testing.google.answers import Refused, directory_error

__all__ = ["Mask", "apply", "check", "parse", "shaper", "within"]

Mask = Mapping[str, "Mask | None"]
"""Names, each with the mask of what lies below it; ``None`` for all of it."""


def parse(text: str) -> Mask:
    """Read a mask such as ``nextPageToken,chromeosdevices(deviceId,recentUsers/email)``.

    Raises:
        Refused: It is no mask.
    """
    found, end = _parse(text, 0)
    if end != len(text) or not found:
        raise _invalid(text)
    return found


def _parse(text: str, at: int) -> tuple[dict[str, Mask | None], int]:
    found: dict[str, Mask | None] = {}
    while True:
        start = at
        while at < len(text) and (text[at].isalnum() or text[at] in "_*"):
            at += 1
        name = text[start:at]
        if not name:
            raise _invalid(text)
        below: Mask | None = None
        if at < len(text) and text[at] == "/":
            below, at = _one(text, at + 1)
        elif at < len(text) and text[at] == "(":
            below, at = _parse(text, at + 1)
            if at >= len(text) or text[at] != ")":
                raise _invalid(text)
            at += 1
        found[name] = _merged(found.get(name, {}), below) if name in found else below
        if at < len(text) and text[at] == ",":
            at += 1
            continue
        return found, at


def _one(text: str, at: int) -> tuple[Mask, int]:
    """What follows a slash: one name, with what lies below it."""
    start = at
    while at < len(text) and (text[at].isalnum() or text[at] in "_*"):
        at += 1
    if start == at:
        raise _invalid(text)
    name = text[start:at]
    below: Mask | None = None
    if at < len(text) and text[at] == "/":
        below, at = _one(text, at + 1)
    elif at < len(text) and text[at] == "(":
        below, at = _parse(text, at + 1)
        if at >= len(text) or text[at] != ")":
            raise _invalid(text)
        at += 1
    return {name: below}, at


def _merged(first: Mask | None, second: Mask | None) -> Mask | None:
    return None if first is None or second is None else {**first, **second}


def within(mask: Mask | None, name: str) -> Mask | None:
    """The mask of what lies below a name; ``None`` for all, an empty one for nothing."""
    if mask is None or "*" in mask:
        return None
    return mask.get(name, {}) if name in mask else {}


def shaper(mask: Mask | None) -> Callable[[Any], Any]:
    """What takes from a value the parts that are wanted."""
    if mask is None or "*" in mask:
        return lambda value: value
    whole = [name for name, below in mask.items() if below is None]
    parts = [(name, shaper(below)) for name, below in mask.items() if below is not None]

    def shape(value: Any) -> Any:
        if isinstance(value, list):
            return [shape(item) for item in value]
        if not isinstance(value, dict):
            return value
        wanted = {name: value[name] for name in whole if name in value}
        for name, below in parts:
            if name in value:
                wanted[name] = below(value[name])
        return wanted

    return shape


def apply(value: Any, mask: Mask | None) -> Any:
    """What of a value is wanted."""
    return shaper(mask)(value)


def check(mask: Mask | None, known: Collection[str]) -> None:
    """Refuse a mask that names what the resource does not have.

    Raises:
        Refused: With Google's words for it.
    """
    for name in mask or ():
        if name != "*" and name not in known:
            raise _invalid(name)


def _invalid(text: str) -> Refused:
    return Refused(directory_error(400, "invalidParameter", f"Invalid field selection {text}"))
