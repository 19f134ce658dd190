"""The district's people: ``district.people``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from assetflow.district.pager import Pager
from assetflow.exchange.raws import RawRecords
from assetflow.model import Hold, Person, PersonId, PersonKind, Query
from assetflow.model.query import where_all
from assetflow.reports.records_request import PersonExport
from assetflow.workflows import holds as hold_verbs
from assetflow.workflows import people as verbs
from assetflow.workflows.edits import with_changes
from assetflow.workflows.given import day, day_in_district, said_word
from assetflow.workflows.personal.erasing import ErasurePlan, erase_person, plan_erasure
from assetflow.workflows.references import PersonRef, find_person, resolve_person

if TYPE_CHECKING:
    from datetime import date

    from assetflow.district.session import Session
    from assetflow.model import Guardianship, Money, Predicate
    from assetflow.store.ports import Wiped
    from assetflow.workflows.personal.sealing import IdentityKeys

__all__ = ["Erasure", "People"]


@frozen(kw_only=True)
class Erasure:
    """What an erasure did, or would do."""

    plan: ErasurePlan
    """What happened to each record."""
    done: bool
    """Whether it was done; false for a dry run."""
    wiped: Wiped | None = None
    """Where the bytes are gone; ``None`` when the store was not rewritten."""

    def explain(self) -> str:
        """All of it as lines of text, without a value."""
        lines = [self.plan.explain()]
        if self.wiped is not None:
            lines += [f"  bytes gone from {place}" for place in self.wiped.reached]
            lines += [f"  not reached: {place}" for place in self.wiped.not_reached]
        elif self.done:
            lines.append("  not reached: bytes of removed values, until the store is rewritten")
        return "\n".join(lines)


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
            DuplicateKey: somebody of that kind has that number, or somebody has that address.
        """

        def do(tx: Any, act: Any) -> Person:
            role = said_word(PersonKind, kind, "the kind of person")
            blank = Person(id=PersonId(act.new_id()), kind=role)
            person = with_changes(blank, fields, verbs.PERSON_FIELDS - {"kind"})
            return verbs.register_person(tx, act, person, entropy=self._session.entropy)

        return self._session.write(do, reason=reason)

    def change(self, person: PersonRef, *, reason: str | None = None, **changes: Any) -> Person:
        """Set fields of a person. The journal names personal fields without their values."""
        return self._session.write(
            lambda tx, act: verbs.change_person(tx, act, resolve_person(tx, person), changes),
            reason=reason,
        )

    def leave(
        self, person: PersonRef, *, left_on: date | str | None = None, reason: str | None = None
    ) -> Person:
        """Note that a person is no longer enrolled or employed. What they hold stays theirs."""
        return self._session.write(
            lambda tx, act: verbs.leave_person(
                tx, act, resolve_person(tx, person), left_on=day(left_on, "the day of leaving")
            ),
            reason=reason,
        )

    def link_guardian(
        self, student: PersonRef, guardian: PersonRef, *, relation: str | None = None
    ) -> Guardianship:
        """Record a guardian of a student.

        Args:
            student: The student.
            guardian: The guardian.
            relation: A word of [`RELATIONS`][assetflow.model.RELATIONS], such as ``parent``.

        Raises:
            NotFound: no such person.
            InvalidValue: the student is no student, or the relation is none of the words.
        """
        return self._session.write(
            lambda tx, act: verbs.link_guardian(
                tx,
                act,
                resolve_person(tx, student),
                resolve_person(tx, guardian),
                relation=relation,
            )
        )

    def export(
        self, person: PersonRef, *, keys: IdentityKeys | None = None, others: bool = False
    ) -> PersonExport:
        """Everything that the store holds on a person: loop over it, or write it as JSON or ZIP.

        Args:
            person: The person.
            keys: The district's identity keys; without them a sealed name is *withheld*.
            others: Whether other people's addresses, in what sources said, are left as they are.

        Raises:
            NotFound: nobody answers to that.
        """
        return PersonExport(
            self._session.read,
            self.get(person).id,
            made_at=self._session.clock(),
            raw=RawRecords(),
            keys=keys,
            others=others,
        )

    def plan_erasure(self, person: PersonRef) -> ErasurePlan:
        """What erasing a person would remove, empty and keep, and why. Writes nothing."""
        act = self._session.reading()
        with self._session.read() as tx:
            return plan_erasure(tx, act, resolve_person(tx, person), raw=RawRecords())

    def erase(
        self,
        person: PersonRef,
        *,
        reason: str,
        keys: IdentityKeys | None = None,
        while_holding: bool = False,
        wipe: bool = True,
        dry_run: bool = False,
    ) -> Erasure:
        """Remove what names a person. Their id stays as a pseudonym, and the journal verifies.

        Args:
            person: The person.
            reason: A code for the journal, such as ``records-request``.
            keys: The district's identity keys, for a name that a programme demands.
            while_holding: Whether to go on although they answer for a device.
            wipe: Whether to rewrite the store afterwards, so that the bytes are gone as well. For
                many people do it once, at the end: ``district.retention.wipe()``.
            dry_run: Decide, and write nothing.

        Raises:
            NotFound: nobody answers to that.
            PersonHoldsDevices: they answer for a device.
            IdentityKeyNeeded: a programme demands the name, and *keys* is not given.
        """
        plan = self._session.write(
            lambda tx, act: erase_person(
                tx,
                act,
                resolve_person(tx, person),
                raw=RawRecords(),
                entropy=self._session.entropy,
                keys=keys,
                while_holding=while_holding,
            ),
            reason=reason,
            dry_run=dry_run,
        )
        wiped = self._session.store.wipe_removed() if wipe and not dry_run else None
        return Erasure(plan=plan, done=not dry_run, wiped=wiped)

    def holds(self, person: PersonRef, *, on: date | str | None = None) -> tuple[Hold, ...]:
        """What stands between a person and the next check-out, on a day; today when not given."""
        with self._session.read() as tx:
            asked = day(on, "the day") or day_in_district(tx, self._session.clock())
            return hold_verbs.holds(tx, resolve_person(tx, person), asked)

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
