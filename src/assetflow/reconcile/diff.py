"""What of a claim is tracked, and whether it changed since the last time."""

import enum
import operator
from datetime import date
from hashlib import blake2b
from typing import Any

import attrs
import msgspec

from assetflow.model.fields import Role, role_of
from assetflow.model.observed import ObservedDevice
from assetflow.model.query import plain

__all__ = [
    "PERSONAL_FIELDS",
    "TRACKED_FIELDS",
    "changed_fields",
    "digest",
    "facts_of",
    "observed_array",
    "observed_fields",
    "observed_from_array",
    "observed_from_facts",
]

_FLEETING = frozenset({"recent_user"})
"""Changes with every sign-in: telemetry, although it is personal."""

_ATTRIBUTES: tuple["attrs.Attribute[Any]", ...] = attrs.fields(ObservedDevice)
_ROLES = {a.name: role_of(a.type) for a in _ATTRIBUTES}

TRACKED_FIELDS: tuple[str, ...] = tuple(
    name
    for name, role in _ROLES.items()
    if role in {Role.JOURNALLED, Role.PERSONAL} and name != "source_id" and name not in _FLEETING
)
"""Fields whose change is a change; the rest is telemetry."""

PERSONAL_FIELDS: frozenset[str] = frozenset(n for n, r in _ROLES.items() if r is Role.PERSONAL)
"""Fields that are named when they change, without their value."""

_tracked = operator.attrgetter(*TRACKED_FIELDS)
_encode = msgspec.msgpack.Encoder().encode
_array = msgspec.json.Decoder(list[str | int | None])


def digest(observed: ObservedDevice) -> bytes:
    """Sixteen bytes over the tracked fields: equal exactly when none of them changed."""
    return blake2b(_encode(_tracked(observed)), digest_size=16).digest()


def facts_of(observed: ObservedDevice) -> dict[str, str | int]:
    """The tracked fields that are known, in plain form."""
    pairs = zip(TRACKED_FIELDS, _tracked(observed), strict=True)
    return {n: v if type(v) is str else plain(v) for n, v in pairs if v is not None}


def changed_fields(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Names of the tracked fields that differ between two sets of facts, in the class' order."""
    return tuple(n for n in TRACKED_FIELDS if before.get(n) != after.get(n))


def observed_array(observed: ObservedDevice) -> str:
    """A claim as a JSON array in the order of the class, for keeping it a while."""
    values = [plain(v) for v in attrs.astuple(observed, recurse=False)]
    return msgspec.json.encode(values).decode()


def observed_fields(text: str) -> dict[str, str | int | None]:
    """What [`observed_array`][assetflow.reconcile.observed_array] kept, by field, in plain form."""
    return dict(zip((a.name for a in _ATTRIBUTES), _array.decode(text), strict=True))


def observed_from_array(text: str) -> ObservedDevice:
    """The claim that [`observed_array`][assetflow.reconcile.observed_array] kept."""
    pairs = zip(_array.decode(text), _ATTRIBUTES, strict=True)
    return ObservedDevice(*(_restore(value, attribute) for value, attribute in pairs))


def observed_from_facts(source_id: str, facts: dict[str, Any]) -> ObservedDevice:
    """The tracked part of a claim, from the facts that an observation keeps."""
    values = {"source_id": source_id, **facts}
    return ObservedDevice(
        **{a.name: _restore(values[a.name], a) for a in _ATTRIBUTES if a.name in values}
    )


def _restore(value: str | int | None, attribute: "attrs.Attribute[Any]") -> Any:
    if value is None:
        return None
    default = attribute.default
    if isinstance(default, enum.Enum) and default is not attrs.NOTHING:
        return type(default)(value)
    return date.fromisoformat(str(value)) if attribute.name in _DAYS else value


_DAYS = frozenset({"auto_update_ends", "auto_update_ends_extended"})
