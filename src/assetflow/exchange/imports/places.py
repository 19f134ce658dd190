"""Sites and rooms that rows name: found among the district's places, or noted down to be added."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from assetflow.exchange.imports.cells import BadCell
from assetflow.model import Place, PlaceId, PlaceKind, PlaceTree, Query
from assetflow.rules.derived import fold_name
from assetflow.workflows.places import find_places, place_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetflow.store.ports import Entry, ReadTransaction
    from assetflow.workflows.acting import Act

__all__ = ["PlaceBook", "place_text", "reads_like_a_room"]

_SITES = (
    PlaceKind.SITE,
    PlaceKind.DISTRICT,
    PlaceKind.DEPARTMENT,
    PlaceKind.STORAGE,
    PlaceKind.BUILDING,
)
_ROOMS = (
    PlaceKind.ROOM,
    PlaceKind.CART,
    PlaceKind.STORAGE,
    PlaceKind.BENCH,
    PlaceKind.DEPARTMENT,
    PlaceKind.BUILDING,
)
_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,9}")


_WORDS = frozenset(
    {
        "annex", "area", "art", "auditorium", "band", "bay", "bench", "bldg", "block",
        "building", "cabinet", "cafeteria", "cage", "cart", "center", "centre", "choir",
        "class", "classroom", "closet", "cohort", "computer", "conference", "counseling",
        "desk", "district", "drawer", "east", "elementary", "floor", "front", "gym",
        "gymnasium", "hall", "help", "high", "idf", "it", "kg", "kindergarten", "kitchen", "lab",
        "laboratory", "library", "lmc", "locker", "lounge", "lower", "main", "makerspace",
        "math", "maths", "mdf", "media", "middle", "mobile", "music", "north", "nurse",
        "office", "pe", "pk", "portable", "prek", "reading", "repair", "resource", "rm",
        "room", "science", "server", "shed", "shelf", "shop", "south", "spare", "sped",
        "staff", "stage", "stem", "stock", "storage", "store", "storeroom", "studio", "study",
        "tech", "technology", "testing", "theater", "theatre", "trailer", "tv", "unit",
        "upper", "warehouse", "west", "wing", "workroom", "yard",
    }
)  # fmt: skip
_PART = re.compile(r"[a-z]{0,3}\d{1,5}[a-z]{0,2}|[a-z]")


def reads_like_a_room(text: str) -> bool:
    """Whether a cell is a room's number, code or plain name: ``204``, ``B-12``, ``Cart 7``, ``Media Center``.

    A room that a file adds stands in the journal with its name, for good, and a free cell may
    hold the name of its teacher. So every part of it is a number, a letter, or a word for rooms.
    """
    parts = re.split(r"[\s#./,&()_-]+", text.strip().casefold())
    return all(p in _WORDS or _PART.fullmatch(p) for p in parts if p) and any(parts)


def place_text(place: Place | None) -> str | None:
    """What a plan shows of a place: its code, else its name."""
    return None if place is None else place.code or place.name


@define
class PlaceBook:
    """The district's places, and those that rows would add.

    A place that would be added has an id that only stands for it here; [`real`] makes the true
    one when the row is written.
    """

    source: str
    """The file's kind, for events."""
    create_sites: bool
    """Whether an unknown site is added."""
    create_rooms: bool
    """Whether an unknown room of a known site is added."""
    spellings: Mapping[str, Mapping[str, str]] = field(factory=dict)
    """``site`` and ``room`` to the folded names of the file and how they are to be written."""
    _places: dict[PlaceId, Place] = field(factory=dict, init=False)
    _tree: PlaceTree = field(factory=lambda: PlaceTree(()), init=False)
    _found: dict[tuple[str, PlaceId | None, str], Place] = field(factory=dict, init=False)
    _real: dict[PlaceId, PlaceId] = field(factory=dict, init=False)

    def load(self, tx: ReadTransaction) -> None:
        """Read the district's places."""
        self._places = {p.id: p for p in tx.find(Query(kind=Place))}
        self._tree = PlaceTree(self._places.values())

    def get(self, place_id: PlaceId | None) -> Place | None:
        """The place with that id, one that would be added included."""
        return None if place_id is None else self._places.get(place_id)

    def site(self, text: str) -> Place:
        """The site that a cell names.

        Raises:
            BadCell: none, or several.
        """
        key = ("site", None, fold_name(text))
        if key not in self._found:
            named = find_places(self._known(), text, kinds=_SITES)
            self._found[key] = self._one(
                named, "site", text, PlaceKind.SITE, None, create=self.create_sites
            )
        return self._found[key]

    def room(self, text: str, site: Place | None) -> Place:
        """The room, cart or store room of a site that a cell names.

        Raises:
            BadCell: none, or several; or no site is known in which it could lie.
        """
        parent = site.id if site else None
        key = ("room", parent, fold_name(text))
        if key not in self._found:
            if site is None:
                # Every school has a room 101: only a code says which one is meant.
                among = [p for p in self._known() if p.code is not None]
                named = [
                    p
                    for p in find_places(among, text, kinds=_ROOMS)
                    if fold_name(p.code or "") == key[2]
                ]
                if not named:
                    reason = "names no room by its code, and the row names no site in which it lies"
                    raise BadCell("unknown-room", reason)
            else:
                within = set(self._tree.within(site.id))
                named = find_places(
                    [p for p in self._known() if p.id in within], text, kinds=_ROOMS
                )
            self._found[key] = self._one(
                named, "room", text, PlaceKind.ROOM, parent, create=self.create_rooms
            )
        return self._found[key]

    def _known(self) -> list[Place]:
        return [p for p in self._places.values() if not _stands_in(p.id)]

    def _one(
        self,
        named: list[Place],
        what: str,
        text: str,
        kind: PlaceKind,
        parent: PlaceId | None,
        *,
        create: bool,
    ) -> Place:
        if len(named) > 1:
            ids = tuple(sorted(p.id for p in named)[:10])
            raise BadCell("ambiguous", f"names more than one {what}", candidates=ids)
        if named:
            return named[0]
        if not create:
            raise BadCell(
                f"unknown-{what}",
                f"names no {what} that is known; add it first, or say create_{what}s=True",
            )
        if what == "room" and not reads_like_a_room(text):
            raise BadCell(
                "unknown-room",
                "names no room that is known, and does not read like a room's number or code; a"
                " person's name would stay in the journal, so add the room yourself first",
            )
        shown = self.spellings.get(what, {}).get(fold_name(text), " ".join(text.split()))
        code = shown if what == "site" and _CODE.fullmatch(shown) else None
        place = Place(
            id=PlaceId(f"new:{parent or ''}:{fold_name(text)}"),
            kind=kind,
            name=shown,
            code=code,
            parent_id=parent,
        )
        self._places[place.id] = place
        return place

    def real(self, act: Act, place_id: PlaceId | None, entries: list[Entry]) -> PlaceId | None:
        """The true id of a place; one that is not there yet is made, its entry added to *entries*."""
        if place_id is None or not _stands_in(place_id):
            return place_id
        if place_id not in self._real:
            wanted = self._places[place_id]
            parent = self.real(act, wanted.parent_id, entries)
            place = evolve(wanted, id=PlaceId(act.new_id()), parent_id=parent)
            entry = place_entry(act, place, source=self.source)
            if entry is not None:
                entries.append(entry)
            self._real[place_id] = place.id
        return self._real[place_id]


def _stands_in(place_id: PlaceId) -> bool:
    return place_id.startswith("new:")
