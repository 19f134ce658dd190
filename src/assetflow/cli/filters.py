"""Options of ``devices list`` as filters of the library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import attrs

from assetflow.errors import InvalidValue
from assetflow.model import Condition, CustodyState, Device, F, Lifecycle, Management
from assetflow.model.query import Compare, Predicate

__all__ = ["device_filters", "known_field"]

_WORDS = {
    "lifecycle": Lifecycle,
    "custody": CustodyState,
    "condition": Condition,
    "management": Management,
}


def device_filters(
    equal: Mapping[str, str | None],
    *,
    site_id: str | None,
    tag: str | None,
    updates_end_before: str | None,
) -> tuple[Predicate, ...]:
    """The filters that the options ask for.

    Raises:
        InvalidValue: a word that the field does not have; the hint lists those that it has.
    """
    return tuple(_filters(equal, site_id, tag, updates_end_before))


def _filters(
    equal: Mapping[str, str | None],
    site_id: str | None,
    tag: str | None,
    updates_end_before: str | None,
) -> Iterator[Predicate]:
    for name, value in equal.items():
        if value is not None:
            yield _equal(name, value)
    if site_id is not None:
        yield F.site_id == site_id
    if tag is not None:
        yield F.asset_tag.starts_with(tag.upper())
    if updates_end_before is not None:
        opted_in = F.extended_updates == "opted_in"
        longer = opted_in & (F.auto_update_ends_extended < updates_end_before)
        yield longer | (~opted_in & (F.auto_update_ends < updates_end_before))


def _equal(name: str, value: str) -> Predicate:
    words = _WORDS.get(name)
    if words is None:
        return Compare(name, "==", value)
    folded = value.strip().lower().replace("-", "_").replace(" ", "_")
    allowed = [str(w.value) for w in words]
    if folded not in allowed:
        raise InvalidValue(f"{name} has no such word", hint=f"It is one of: {', '.join(allowed)}.")
    return Compare(name, "==", folded)


def known_field(name: str) -> str:
    """A field of a device to sort by.

    Raises:
        InvalidValue: a device has no such field.
    """
    fields = [f.name for f in attrs.fields(Device)]
    folded = name.strip().replace("-", "_")
    if folded in fields:
        return folded
    near = get_close_matches(folded, fields, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Such as asset_tag, serial, auto_update_ends."
    raise InvalidValue("a device has no such field to sort by", hint=hint)
