"""What stands between a person and the next check-out: one question, many who answer.

Holds placed by hand are rows. Charges, agreements and coverage answer with holds of their own
that are worked out when asked: each is a provider in
[`PROVIDERS`][assetflow.workflows.holds.PROVIDERS]. The policy says which kinds block.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from assetflow.errors import InvalidValue, NotFound
from assetflow.model import F, Hold, Money, Order, Person, PersonId, Query
from assetflow.model.events import HoldPlaced, HoldReleased
from assetflow.model.policy import HOLD_KINDS
from assetflow.rules.decision import Decision, Happened, Write
from assetflow.store.ports import ReadTransaction
from assetflow.workflows.given import day_in_district
from assetflow.workflows.notes import add_note
from assetflow.workflows.references import PersonRef, resolve_person
from assetflow.workflows.saving import save

if TYPE_CHECKING:
    from assetflow.store.ports import Transaction
    from assetflow.workflows.acting import Act

__all__ = ["PROVIDERS", "HoldProvider", "holds", "place_hold", "release_hold"]


@frozen
class HoldProvider:
    """Somebody who knows of holds."""

    kinds: frozenset[str]
    """Kinds of hold that it may answer with."""
    find: Callable[[ReadTransaction, PersonId, date], Iterable[Hold]]
    """The holds on a person that stand on a day."""


def placed_holds(tx: ReadTransaction, person_id: PersonId, on: date) -> Iterable[Hold]:
    """Holds that somebody placed and nobody released."""
    where = (F.person_id == person_id) & F.released_at.is_unknown() & (F.since <= on)
    return tx.find(Query(kind=Hold, where=where, order=(Order("since"),)))


PROVIDERS: tuple[HoldProvider, ...] = (HoldProvider(frozenset(HOLD_KINDS), placed_holds),)
"""Who is asked, in order. Later work adds to the end."""


def holds(
    tx: ReadTransaction,
    person_id: PersonId,
    on: date,
    *,
    kinds: Collection[str] | None = None,
    providers: Iterable[HoldProvider] = PROVIDERS,
) -> tuple[Hold, ...]:
    """The holds on a person that stand on a day: the one query for what blocks a check-out.

    Args:
        tx: Reads of the district.
        person_id: Whom they hold.
        on: The day.
        kinds: Only these kinds; a provider of none of them is not asked. ``None`` for all.
        providers: Who is asked.

    Returns:
        The holds, the oldest first.
    """
    found = [
        hold
        for provider in providers
        if kinds is None or not provider.kinds.isdisjoint(kinds)
        for hold in provider.find(tx, person_id, on)
        if kinds is None or hold.kind in kinds
    ]
    return tuple(sorted(found, key=lambda h: (h.since, h.id)))


def place_hold(
    tx: Transaction,
    act: Act,
    person: PersonRef,
    *,
    kind: str,
    since: date | None = None,
    amount: Money | None = None,
    note: str | None = None,
) -> Hold:
    """Place a hold on a person.

    Args:
        tx: The transaction.
        act: Who, when and why.
        person: Whom it holds.
        kind: ``agreement``, ``balance``, ``coverage``, ``manual`` or ``overdue``.
        since: The day from which it holds; today when not given.
        amount: The money at stake, for a balance.
        note: Why, in words; erasable.

    Raises:
        InvalidValue: an unknown kind, or a note that is too long.
        NotFound: there is no such person.
        AmbiguousReference: more than one answers to that.
    """
    if kind not in HOLD_KINDS:
        raise InvalidValue("no such kind of hold", hint=f"One of: {', '.join(HOLD_KINDS)}.")
    person_id = resolve_person(tx, person)
    tx.lock((Person, (person_id,)))
    if tx.get(Person, person_id) is None:
        raise NotFound("the person is not there", person_id=person_id)
    hold = Hold(
        id=act.new_id(),
        person_id=person_id,
        kind=kind,
        since=since or day_in_district(tx, act.effective_at or act.at),
        amount=amount,
        note_id=None if note is None else add_note(tx, act, "person", person_id, note),
    )
    event = HoldPlaced(hold_id=hold.id, kind=kind)
    happened = Happened(event=event, subject_id=person_id, writes=(Write(hold),))
    save(tx, act, Decision(result=hold, happened=(happened,)))
    return hold


def release_hold(tx: Transaction, act: Act, hold_id: str) -> Hold:
    """Lift a hold. One that was lifted before stays as it is, and nothing is written.

    Raises:
        NotFound: there is no such hold.
    """
    tx.lock((Hold, (hold_id,)))
    hold = tx.get(Hold, hold_id)
    if hold is None:
        raise NotFound("there is no hold with that id")
    if hold.released_at is not None:
        return hold
    after = evolve(hold, released_at=act.effective_at or act.at, version=hold.version + 1)
    event = HoldReleased(hold_id=hold.id)
    happened = Happened(event=event, subject_id=hold.person_id, writes=(Write(after, hold),))
    save(tx, act, Decision(result=after, happened=(happened,)))
    return after
