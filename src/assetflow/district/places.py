"""The district's places: ``district.places``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.district.pager import Pager
from assetflow.model import Place, PlaceKind, PlaceTree, Query
from assetflow.model.query import where_all
from assetflow.workflows import places as verbs
from assetflow.workflows.given import line, said_word
from assetflow.workflows.references import PlaceRef, find_place, resolve_place

if TYPE_CHECKING:
    from assetflow.district.session import Session
    from assetflow.model import Predicate

__all__ = ["Places"]


class Places:
    """Sites, buildings, rooms and carts, as one tree of any depth."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def where(self, *conditions: Predicate) -> Pager[Place]:
        """Places that all of these conditions keep; all when there is none."""
        return Pager(self._session, Query(kind=Place, where=where_all(conditions)))

    def get(self, place: PlaceRef) -> Place:
        """One place, by id, code or name.

        Raises:
            NotFound: no place answers to that.
            AmbiguousReference: several do; the error lists them.
        """
        with self._session.read() as tx:
            return find_place(tx, place)

    def tree(self) -> PlaceTree:
        """All places, for questions about what lies within what."""
        with self._session.read() as tx:
            return PlaceTree(tx.find(Query(kind=Place)))

    def add(
        self,
        kind: PlaceKind | str,
        name: str,
        *,
        code: str | None = None,
        within: PlaceRef | None = None,
        reason: str | None = None,
    ) -> Place:
        """Add a place, or change the one with that code: ``add("site", "Lincoln High", code="LHS")``."""

        def do(tx: Any, act: Any) -> Place:
            parent = resolve_place(tx, within) if within is not None else None
            return verbs.upsert_place(
                tx,
                act,
                said_word(PlaceKind, kind, "the kind of place"),
                line(name, "a place's name", longest=200),
                code=None if code is None else line(code, "a place's code", longest=64),
                parent_id=parent,
            )

        return self._session.write(do, reason=reason)

    def change(self, place: PlaceRef, *, reason: str | None = None, **changes: Any) -> Place:
        """Set fields of a place."""
        return self._session.write(
            lambda tx, act: verbs.change_place(tx, act, resolve_place(tx, place), changes),
            reason=reason,
        )
