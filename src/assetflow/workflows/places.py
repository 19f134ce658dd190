"""Places: schools, buildings, rooms and carts, added and changed so that the tree stays a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.errors import AmbiguousReference, DuplicateKey, InvalidValue
from assetflow.model import F, Place, PlaceId, PlaceKind, PlaceLink, PlaceTree, Query
from assetflow.model.events import PlaceChanged
from assetflow.rules.derived import fold_name
from assetflow.store.ports import Entry, Put
from assetflow.workflows.edits import changed_fields, found, next_version, with_changes
from assetflow.workflows.naming import lock_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = [
    "PLACE_FIELDS",
    "change_place",
    "find_places",
    "new_place",
    "place_entry",
    "upsert_place",
]

PLACE_FIELDS = frozenset({"kind", "name", "code", "parent_id", "closed"})
"""Fields of a place that may be set."""


def new_place(
    act: Act,
    kind: PlaceKind,
    name: str,
    *,
    code: str | None = None,
    parent_id: PlaceId | None = None,
) -> Place:
    """A place that is not stored yet.

    Raises:
        InvalidValue: no name.
    """
    shown = " ".join(name.split())
    if not shown:
        raise InvalidValue("a place needs a name")
    return Place(id=PlaceId(act.new_id()), kind=kind, name=shown, code=code, parent_id=parent_id)


def place_entry(
    act: Act,
    after: Place,
    *,
    before: Place | None = None,
    links: Iterable[PlaceLink] = (),
    source: str | None = None,
) -> Entry | None:
    """The entry that adds or changes a place; ``None`` when nothing differs.

    Args:
        act: Who, when and why.
        after: The place as it is to be.
        before: The place as it was read; ``None`` adds it.
        links: New links of other systems' organisations to it.
        source: The source or file that says so.
    """
    puts: list[Put] = []
    if before is None:
        puts.append(Put(after))
    elif changed_fields(before, after):
        puts.append(Put(next_version(before, after), before))
    puts.extend(Put(link) for link in links)
    if not puts:
        return None
    event = PlaceChanged(source=source)
    return Entry(event=event, subject_id=after.id, stamp=act.stamp(), puts=tuple(puts))


def find_places(
    places: Iterable[Place], text: str, *, kinds: Iterable[PlaceKind] = ()
) -> list[Place]:
    """The places that a text names: those with that code; else those with that name.

    Letter case and spaces do not count. A place that is out of use answers only when none in
    use does.

    Args:
        places: Where to look.
        text: A code or a name.
        kinds: Only places of these kinds; none for all.
    """
    key, wanted = fold_name(text), frozenset(kinds)
    among = [p for p in places if not wanted or p.kind in wanted]
    for candidates in ([p for p in among if not p.closed], [p for p in among if p.closed]):
        for field in ("code", "name"):
            named = [p for p in candidates if fold_name(getattr(p, field) or "") == key != ""]
            if named:
                return named
    return []


def upsert_place(
    tx: Transaction,
    act: Act,
    kind: PlaceKind,
    name: str,
    *,
    code: str | None = None,
    parent_id: PlaceId | None = None,
) -> Place:
    """Add a place, or change the one of this kind that has this code, or this name below this parent.

    Raises:
        InvalidValue: no name.
        NotFound: there is no such parent.
        AmbiguousReference: several places have that name below that parent.
        DuplicateKey: another place has that code.
    """
    lock_names(tx)
    siblings = [p for p in tx.find(Query(kind=Place, where=F.kind == kind.value)) if p.kind is kind]
    named = [p for p in siblings if code is not None and p.code == code]
    if not named:
        below = [
            p for p in siblings if p.parent_id == parent_id and (code is None or p.code is None)
        ]
        named = [p for p in below if fold_name(p.name) == fold_name(name)]
    if len(named) > 1:
        ids = [p.id for p in named]
        raise AmbiguousReference("several places have that name there", candidates=ids)
    if named:
        changes = {"name": " ".join(name.split()), "parent_id": parent_id}
        return change_place(tx, act, named[0].id, changes | ({"code": code} if code else {}))
    place = new_place(act, kind, name, code=code, parent_id=parent_id)
    _check(tx, place)
    entry = place_entry(act, place)
    if entry is not None:
        tx.record([entry])
    return place


def change_place(tx: Transaction, act: Act, place_id: PlaceId, changes: Mapping[str, Any]) -> Place:
    """Set fields of a place, of [`PLACE_FIELDS`][assetflow.workflows.places.PLACE_FIELDS].

    Raises:
        NotFound: there is no such place or parent.
        InvalidValue: a field that may not be set, or a parent that lies inside the place.
        DuplicateKey: another place has that code.
    """
    lock_names(tx)
    tx.lock((Place, (place_id,)))
    before = found(tx, Place, place_id)
    after = with_changes(before, changes, PLACE_FIELDS)
    _check(tx, after)
    entry = place_entry(act, after, before=before)
    if entry is None:
        return before
    tx.record([entry])
    return evolve(after, version=before.version + 1)


def _check(tx: ReadTransaction, place: Place) -> None:
    if not place.name.strip():
        raise InvalidValue("a place needs a name")
    if place.parent_id is not None:
        found(tx, Place, place.parent_id)
        tree = PlaceTree([*(p for p in tx.find(Query(kind=Place)) if p.id != place.id), place])
        if place.parent_id in tree.within(place.id):
            raise InvalidValue("a place cannot lie inside itself", place_id=place.id)
    if place.code is not None:
        same = tx.find(Query(kind=Place, where=F.code == place.code))
        others = [p.id for p in same if p.id != place.id]
        if others:
            raise DuplicateKey("another place has that code", place_id=others[0])
