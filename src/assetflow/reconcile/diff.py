"""What of a claim is tracked, and whether it changed since the last time."""

import enum
import operator
from collections.abc import Iterable
from datetime import date
from hashlib import blake2b
from typing import Any

import attrs
import msgspec

from assetflow.model.fields import Role, role_of
from assetflow.model.observed import ObservedDevice
from assetflow.model.query import plain

__all__ = [
    "DIGEST_SIZE",
    "PERSONAL_FIELDS",
    "TRACKED_FIELDS",
    "changed_fields",
    "digest",
    "digest_of_all",
    "digests",
    "facts_of",
    "is_of_this_scheme",
    "observed_array",
    "observed_fields",
    "observed_from_array",
    "observed_from_facts",
    "told_the_same",
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


_SCHEME = 1
"""How digests are made. Raised when a tracked field is added or dropped, or its text is made differently."""
_ADDED: dict[str, int] = {}
"""Fields that are tracked only since a later scheme than the first, and that scheme."""
_LENGTH = 16
DIGEST_SIZE: int = 1 + _LENGTH
"""Bytes of a digest: one for the scheme, the rest over the fields."""
_LEAD = bytes([_SCHEME])


def digest(observed: ObservedDevice) -> bytes:
    """Over the tracked fields: equal exactly when none of them changed, under one scheme.

    The first byte says under which scheme it was made, so that a later version can tell a change
    at the source from a change of the method.
    """
    return _LEAD + blake2b(_encode(_tracked(observed)), digest_size=_LENGTH).digest()


def digests(observed: Iterable[ObservedDevice]) -> list[bytes]:
    """The [`digest`][assetflow.reconcile.digest] of each; quicker than one by one."""
    lead, made = _LEAD, map(_encode, map(_tracked, observed))
    return [lead + blake2b(text, digest_size=_LENGTH).digest() for text in made]


def digest_of_all(observed: Iterable[ObservedDevice]) -> bytes:
    """One digest over the tracked fields of several claims in their order: quicker than one of each."""
    text = _encode(list(map(_tracked, observed)))
    return _LEAD + blake2b(text, digest_size=_LENGTH).digest()


def is_of_this_scheme(mark: bytes) -> bool:
    """Whether a digest can be compared with one that is made now; an empty one can: it differs."""
    return not mark or (len(mark) == DIGEST_SIZE and mark[0] == _SCHEME)


def told_the_same(mark: bytes, facts: str, observed: ObservedDevice) -> bool:
    """Whether a claim is as it was when a digest of another scheme was made of it.

    Args:
        mark: That digest. One without a byte for its scheme is older than all.
        facts: The tracked fields of then, as a JSON object.
        observed: The claim of now. Fields that were not tracked then are not looked at.
    """
    scheme = mark[0] if len(mark) == DIGEST_SIZE else 0
    differ = changed_fields(msgspec.json.decode(facts or "{}"), facts_of(observed))
    return all(_ADDED.get(name, 0) > scheme for name in differ)


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
