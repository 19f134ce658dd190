"""Places: the district, its sites, their buildings, rooms and carts, as one tree of any depth."""

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from attrs import frozen

from assetflow.model.fields import Journalled, Record, quiet
from assetflow.model.ids import PlaceId

__all__ = ["District", "Place", "PlaceKind", "PlaceLink", "PlaceTree"]


class PlaceKind(enum.Enum):
    """What a place is."""

    DISTRICT = "district"
    """The root."""
    SITE = "site"
    """A school or another campus."""
    BUILDING = "building"
    """A building of a site."""
    ROOM = "room"
    """A room."""
    CART = "cart"
    """A charging cart: holds devices and moves."""
    DEPARTMENT = "department"
    """A department that holds devices."""
    STORAGE = "storage"
    """A stock room or warehouse."""
    BENCH = "bench"
    """A repair bench."""


@frozen(kw_only=True, field_transformer=quiet)
class District(Record):
    """A district whose assets a store holds."""

    KIND: ClassVar[str] = "district"

    id: Journalled[str]
    """Its id, chosen by its people, such as ``lincoln``."""
    name: Journalled[str]
    """Its name as printed."""
    time_zone: Journalled[str] = "America/Chicago"
    """IANA time zone of its school days."""
    currency: Journalled[str] = "USD"
    """ISO 4217 code of its money."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True, field_transformer=quiet)
class Place(Record):
    """A place that can hold devices or people."""

    KIND: ClassVar[str] = "place"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("code",), ("parent_id",))

    id: Journalled[PlaceId]
    """Its id."""
    kind: Journalled[PlaceKind]
    """What it is."""
    name: Journalled[str]
    """Its name as printed."""
    code: Journalled[str | None] = None
    """Its short code on labels and in files, such as ``LHS``."""
    parent_id: Journalled[PlaceId | None] = None
    """The place that it lies in; ``None`` for a root."""
    closed: Journalled[bool] = False
    """Whether it is out of use."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True, field_transformer=quiet)
class PlaceLink(Record):
    """Which place another system's organisation or org unit stands for."""

    KIND: ClassVar[str] = "place_link"
    KEY: ClassVar[tuple[str, ...]] = ("source", "source_id")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("place_id",),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("place_id", "place"),)

    source: Journalled[str]
    """The source's name, such as ``oneroster``."""
    source_id: Journalled[str]
    """The id there, byte for byte."""
    place_id: Journalled[PlaceId]
    """The place here."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


class PlaceTree:
    """A district's places, for questions about what lies within what.

    Args:
        places: All places of the district, in any order. A parent that is not among them makes
            its child a root; a cycle is broken at the place met first.
    """

    __slots__ = ("_by_id", "_children")

    def __init__(self, places: Iterable[Place]) -> None:
        self._by_id: Mapping[PlaceId, Place] = {p.id: p for p in places}
        children: dict[PlaceId | None, list[PlaceId]] = {}
        for place in self._by_id.values():
            parent = place.parent_id if place.parent_id in self._by_id else None
            children.setdefault(parent, []).append(place.id)
        self._children = children

    def get(self, place_id: PlaceId) -> Place | None:
        """The place with that id, if it is in the tree."""
        return self._by_id.get(place_id)

    def within(self, place_id: PlaceId) -> Iterator[PlaceId]:
        """The place itself and every place below it, each once."""
        todo, seen = [place_id], set[PlaceId]()
        while todo:
            current = todo.pop()
            if current in seen:
                continue
            seen.add(current)
            yield current
            todo.extend(self._children.get(current, ()))

    def path(self, place_id: PlaceId) -> tuple[Place, ...]:
        """From the root down to the place, both included; empty when it is not in the tree."""
        found: list[Place] = []
        current: PlaceId | None = place_id
        while current is not None and len(found) <= len(self._by_id):
            place = self._by_id.get(current)
            if place is None or place in found:
                break
            found.append(place)
            current = place.parent_id
        return tuple(reversed(found))

    def roll_up(self, counts: Mapping[PlaceId, int]) -> dict[PlaceId, int]:
        """Add each place's count to every place that it lies in.

        Returns:
            The total at and below each place that has one.
        """
        totals: dict[PlaceId, int] = {}
        for place_id, count in counts.items():
            for place in self.path(place_id):
                totals[place.id] = totals.get(place.id, 0) + count
        return totals
