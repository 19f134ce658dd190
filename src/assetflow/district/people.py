"""The district's people: ``district.people``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.district.pager import Pager
from assetflow.model import Hold, Person, PersonId, PersonKind, Query
from assetflow.model.query import where_all
from assetflow.workflows import holds as hold_verbs
from assetflow.workflows import people as verbs
from assetflow.workflows.given import day_in_district
from assetflow.workflows.references import PersonRef, find_person, resolve_person

if TYPE_CHECKING:
    from datetime import date

    from assetflow.district.session import Session
    from assetflow.model import Guardianship, Money, Predicate

__all__ = ["People"]


class People:
    """Find, register and change people. Every verb takes an id, a number, an address or the person."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def where(self, *conditions: Predicate) -> Pager[Person]:
        """People that all of these conditions keep; everybody when there is none."""
        return Pager(self._session, Query(kind=Person, where=where_all(conditions)))

    def get(self, person: PersonRef) -> Person:
        """One person.

        Raises:
            NotFound: nobody answers to that id, number or address.
            AmbiguousReference: several do; the error lists their ids.
        """
        with self._session.read() as tx:
            return find_person(tx, person)

    def register(
        self, kind: PersonKind | str, *, reason: str | None = None, **fields: Any
    ) -> Person:
        """Add a person: ``register("student", local_id="204881", given_name="Ana")``.

        Raises:
            InvalidValue: a value that cannot be.
        """

        def do(tx: Any, act: Any) -> Person:
            person = Person(id=PersonId(act.new_id()), kind=PersonKind(kind), **fields)
            return verbs.register_person(tx, act, person, entropy=self._session.entropy)

        return self._session.write(do, reason=reason)

    def change(self, person: PersonRef, *, reason: str | None = None, **changes: Any) -> Person:
        """Set fields of a person. The journal names personal fields without their values."""
        return self._session.write(
            lambda tx, act: verbs.change_person(tx, act, resolve_person(tx, person), changes),
            reason=reason,
        )

    def leave(
        self, person: PersonRef, *, left_on: date | None = None, reason: str | None = None
    ) -> Person:
        """Note that a person is no longer enrolled or employed. What they hold stays theirs."""
        return self._session.write(
            lambda tx, act: verbs.leave_person(
                tx, act, resolve_person(tx, person), left_on=left_on
            ),
            reason=reason,
        )

    def link_guardian(
        self, student: PersonRef, guardian: PersonRef, *, relation: str | None = None
    ) -> Guardianship:
        """Record a guardian of a student."""
        return self._session.write(
            lambda tx, act: verbs.link_guardian(
                tx,
                act,
                resolve_person(tx, student),
                resolve_person(tx, guardian),
                relation=relation,
            )
        )

    def holds(self, person: PersonRef, *, on: date | None = None) -> tuple[Hold, ...]:
        """What stands between a person and the next check-out, on a day; today when not given."""
        with self._session.read() as tx:
            day = on or day_in_district(tx, self._session.clock())
            return hold_verbs.holds(tx, resolve_person(tx, person), day)

    def place_hold(
        self,
        person: PersonRef,
        *,
        kind: str = "manual",
        amount: Money | None = None,
        note: str | None = None,
        reason: str | None = None,
    ) -> Hold:
        """Place a hold on a person."""
        return self._session.write(
            lambda tx, act: hold_verbs.place_hold(
                tx, act, person, kind=kind, amount=amount, note=note
            ),
            reason=reason,
        )

    def release_hold(self, hold_id: str, *, reason: str | None = None) -> Hold:
        """Lift a hold."""
        return self._session.write(
            lambda tx, act: hold_verbs.release_hold(tx, act, hold_id), reason=reason
        )
