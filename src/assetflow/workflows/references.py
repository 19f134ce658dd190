"""Which record a person means: an id, a tag, a serial, a number, an address, a code or a name.

Exact first, then folded as a scanner or a hurried person writes. Several answers are an error
that lists them; none is an error that names what is near. What was given never stands in an
error: it may be a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from assetflow.errors import AmbiguousReference, NotFound
from assetflow.model import (
    Device,
    DeviceId,
    F,
    Holder,
    HolderKind,
    Lifecycle,
    Order,
    Person,
    PersonId,
    Place,
    PlaceId,
    Query,
    fold_serial,
    fold_tag,
)
from assetflow.model.query import Predicate
from assetflow.rules.derived import fold_email
from assetflow.workflows.given import line
from assetflow.workflows.places import find_places

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction

__all__ = [
    "DeviceRef",
    "HolderRef",
    "PersonRef",
    "PlaceRef",
    "find_device",
    "find_person",
    "find_place",
    "resolve_device",
    "resolve_holder",
    "resolve_person",
    "resolve_place",
]

DeviceRef = Device | str
"""A device, or its id, tag or serial."""
PersonRef = Person | str
"""A person, or their id, student or staff number, or school address."""
PlaceRef = Place | str
"""A place, or its id, code or name."""
HolderRef = Person | Place | Device | Holder | str
"""Who holds: a value, or a person's id, number or address, or a place's id or code."""

_MOST = 51
_ID_LENGTH, _ID_HYPHENS = 36, 4


class _Found(NamedTuple):
    id: str
    tag: str | None
    serial: str | None
    lifecycle: str


def resolve_device(tx: ReadTransaction, ref: DeviceRef) -> DeviceId:
    """The id of the device that is meant.

    A device that was disposed of steps back when another answers to the same tag or serial.

    Raises:
        NotFound: none; the hint names serials and tags that look alike.
        AmbiguousReference: several; the hint names their tags and serials.
        InvalidValue: not a text that could be one.
    """
    if isinstance(ref, Device):
        return ref.id
    text = line(ref, "a device's id, tag or serial")
    key = fold_tag(text)
    rows = _devices(tx, text)
    exact = [r for r in rows if text in (r.id, r.tag, r.serial)]
    folded = [r for r in rows if key in (fold_tag(r.tag), fold_tag(r.serial))]
    for candidates in (exact, folded):
        live = [r for r in candidates if r.lifecycle != Lifecycle.DISPOSED.value] or candidates
        if len(live) == 1:
            return DeviceId(live[0].id)
        if live:
            raise AmbiguousReference(
                "more than one device answers to that",
                candidates=[r.id for r in live],
                hint=f"Use an id. They are {_shown(live)}.",
            )
    hint = f"It looks like {_shown(rows)}; look closely." if rows else None
    near = tuple(r.id for r in rows[:10])
    raise NotFound("no device answers to that", hint=hint, near=near)


def resolve_person(tx: ReadTransaction, ref: PersonRef) -> PersonId:
    """The id of the person who is meant.

    Raises:
        NotFound: none; the hint says when a number differs by leading zeros.
        AmbiguousReference: several, listed by id alone.
        InvalidValue: not a text that could be one.
    """
    if isinstance(ref, Person):
        return ref.id
    text = line(ref, "a person's id, number or address")
    found = _people(tx, text)
    if not found:
        raise NotFound("nobody answers to that", hint=_zeros(tx, text))
    if len(found) > 1:
        raise AmbiguousReference("more than one person answers to that", candidates=found)
    return PersonId(found[0])


def resolve_place(tx: ReadTransaction, ref: PlaceRef) -> PlaceId:
    """The id of the place that is meant.

    Raises:
        NotFound: none.
        AmbiguousReference: several, such as a room number that many schools have.
        InvalidValue: not a text that could be one.
    """
    if isinstance(ref, Place):
        return ref.id
    text = line(ref, "a place's id, code or name")
    found = _places_by_code(tx, text) or [
        row[0] for row in tx.values(Query(kind=Place, where=F.name == text), ("id",))
    ]
    if not found:
        found = [p.id for p in find_places(tx.find(Query(kind=Place)), text)]
    if not found:
        hint = "Name it by its code, such as LHS, or by its name as printed."
        raise NotFound("no place answers to that", hint=hint)
    if len(found) > 1:
        raise AmbiguousReference("more than one place answers to that", candidates=found)
    return PlaceId(found[0])


def resolve_holder(tx: ReadTransaction, ref: HolderRef) -> Holder:
    """Who is meant to hold a device. A text names a person, or a place by id or code.

    Raises:
        NotFound: nobody and nothing.
        AmbiguousReference: several, also a person and a place.
        InvalidValue: not a text that could be one.
    """
    if isinstance(ref, Holder):
        return Holder(ref.kind, line(ref.id, "a holder's id", longest=64))
    if isinstance(ref, Person):
        return Holder(HolderKind.PERSON, ref.id)
    if isinstance(ref, Place):
        return Holder(HolderKind.PLACE, ref.id)
    if isinstance(ref, Device):
        return Holder(HolderKind.DEVICE, ref.id)
    text = line(ref, "who is to have it")
    people, places = _people(tx, text), _places_by_code(tx, text)
    found = [*people, *places]
    if not found:
        hint = _zeros(tx, text) or "Name a person by number or address, a place by its code."
        raise NotFound("nobody answers to that", hint=hint)
    if len(found) > 1:
        hint = "Use an id, or hand over the person or place itself."
        raise AmbiguousReference("more than one answers to that", candidates=found, hint=hint)
    return Holder(HolderKind.PERSON if people else HolderKind.PLACE, found[0])


def find_device(tx: ReadTransaction, ref: DeviceRef) -> Device:
    """The device that is meant, as it stands now.

    Raises:
        NotFound: none.
        AmbiguousReference: several.
        InvalidValue: not a text that could be one.
    """
    device = tx.get(Device, resolve_device(tx, ref))
    if device is None:
        raise NotFound("the device is not there")
    return device


def find_person(tx: ReadTransaction, ref: PersonRef) -> Person:
    """The person who is meant, as they stand now.

    Raises:
        NotFound: none.
        AmbiguousReference: several.
        InvalidValue: not a text that could be one.
    """
    person = tx.get(Person, resolve_person(tx, ref))
    if person is None:
        raise NotFound("the person is not there")
    return person


def find_place(tx: ReadTransaction, ref: PlaceRef) -> Place:
    """The place that is meant, as it stands now.

    Raises:
        NotFound: none.
        AmbiguousReference: several.
        InvalidValue: not a text that could be one.
    """
    place = tx.get(Place, resolve_place(tx, ref))
    if place is None:
        raise NotFound("the place is not there")
    return place


# One narrow question after another: each is answered by an index, several in one filter are not.
# Each is sorted by something else than the key, or SQLite prefers to walk along the key.


def _devices(tx: ReadTransaction, text: str) -> list[_Found]:
    """Devices with that tag or serial, also where it only looks alike; else the one with that id."""

    def ask(where: Predicate) -> list[_Found]:
        fields = ("id", "asset_tag", "serial", "lifecycle")
        query = Query(kind=Device, where=where, order=(Order("asset_tag"),), limit=_MOST)
        return [_Found(*row) for row in tx.values(query, fields)]

    by_id = F.id == text
    if len(text) == _ID_LENGTH and text.count("-") == _ID_HYPHENS and (found := ask(by_id)):
        return found
    rows = {r.id: r for r in ask(F.tag_key == fold_tag(text))}
    rows |= {r.id: r for r in ask(F.serial_key == fold_serial(text))}
    if not any(text in (r.tag, r.serial) for r in rows.values()):
        rows |= {r.id: r for r in ask(by_id)}
    return [rows[i] for i in sorted(rows)]


def _people(tx: ReadTransaction, text: str) -> list[str]:
    address = fold_email(text) or text
    wheres = [F.local_id == text, F.id == text]
    if "@" in text:
        wheres.insert(0, F.email_key == address)
    return _first(tx, Person, wheres)


def _places_by_code(tx: ReadTransaction, text: str) -> list[str]:
    return _first(tx, Place, [F.code == text, F.id == text])


def _first(
    tx: ReadTransaction, kind: type[Person | Place], wheres: Iterable[Predicate]
) -> list[str]:
    """Ids of those that the first filter with an answer keeps."""
    for where in wheres:
        order = (Order("status" if kind is Person else "name"),)
        query = Query(kind=kind, where=where, order=order, limit=_MOST)
        found: list[str] = [row[0] for row in tx.values(query, ("id",))]
        if found:
            return sorted(found)
    return []


def _zeros(tx: ReadTransaction, text: str) -> str | None:
    """A spreadsheet may have cut a number's leading zeros, or somebody added some."""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    bare = text.lstrip("0") or "0"
    spellings = {bare, *(bare.zfill(n) for n in range(len(bare), 13))} - {text}
    where = F.local_id.one_of(*sorted(spellings))
    query = Query(kind=Person, where=where, order=(Order("status"),), limit=2)
    near = [row[0] for row in tx.values(query, ("id",))]
    return f"A number that differs by leading zeros belongs to {near[0]}." if near else None


def _shown(rows: Sequence[_Found]) -> str:
    return _listed([f"{r.tag or 'no tag'} (serial {r.serial or 'none'}, id {r.id})" for r in rows])


def _listed(items: Iterable[str]) -> str:
    shown = list(items)
    more = len(shown) - 5
    return ", ".join(shown[:5]) + (f" and {more} more" if more > 0 else "")
