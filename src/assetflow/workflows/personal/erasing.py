"""Erasing a person: planned first, then done in one transaction, with a journal that still verifies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import evolve, field, frozen

from assetflow.errors import IdentityKeyNeeded, PersonHoldsDevices
from assetflow.model import (
    KIND_RETENTION,
    Device,
    F,
    FundingShare,
    Guardianship,
    Handling,
    HolderKind,
    Observation,
    Person,
    PersonLink,
    Query,
    RetainedIdentity,
    Role,
)
from assetflow.model.events import PersonErased
from assetflow.rules.retention import Demand, demands
from assetflow.store.ports import Entry, Put
from assetflow.store.schema import kind_of
from assetflow.workflows.edits import found
from assetflow.workflows.given import day_in_district
from assetflow.workflows.marks import unmark
from assetflow.workflows.personal.redacting import redact
from assetflow.workflows.personal.sealing import seal_name
from assetflow.workflows.personal.traces import Why, events_about, subject_of, traces

if TYPE_CHECKING:
    from assetflow.model import PersonId, Record
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act
    from assetflow.workflows.personal.sealing import IdentityKeys
    from assetflow.workflows.personal.traces import RawReader, Subject, Trace

__all__ = ["HOLDING_RULE", "ErasurePlan", "ErasureStep", "erase_person", "plan_erasure"]

HOLDING_RULE = "retention.erase-while-holding"
"""The rule that keeps somebody who answers for a device from being erased."""


@frozen(kw_only=True)
class ErasureStep:
    """What happens to one record. Holds ids and names of columns, never a value."""

    kind: str
    """The kind of record."""
    key: tuple[Any, ...] = field(repr=False)
    """Its key. Of an idempotency key this may be what names the person."""
    handling: Handling
    """What is done with it."""
    columns: tuple[str, ...] = ()
    """The columns that are emptied or redacted."""
    why: tuple[str, ...] = ()
    """Why it is about the person."""
    left: tuple[str, ...] = ()
    """Columns that name the person and stay, since they stand in the journal."""
    keep_until: date | None = None
    """The last day on which it is kept, where a programme says."""
    source: str = ""
    """Who says so."""


@frozen(kw_only=True)
class ErasurePlan:
    """What an erasure will do, or did."""

    person_id: PersonId
    """The person; afterwards a pseudonym."""
    steps: tuple[ErasureStep, ...]
    """What happens to each record."""
    demands: tuple[Demand, ...] = ()
    """What programmes demand."""
    holding: tuple[str, ...] = ()
    """Devices that the person answers for or has in hand."""
    guardians_left: tuple[str, ...] = ()
    """Guardians who are guardian of nobody else afterwards."""
    shared_name: bool = False
    """Whether somebody else has the same name: texts that hold only the name were left alone."""
    at_sources: tuple[str, ...] = ()
    """Sources that still name the person: what is not removed there comes back with the next pull."""

    @property
    def left(self) -> tuple[ErasureStep, ...]:
        """Records in which a journalled column still names the person."""
        return tuple(s for s in self.steps if s.left)

    def count(self, handling: Handling) -> int:
        """How many records are handled so."""
        return sum(s.handling is handling for s in self.steps)

    def explain(self) -> str:
        """The plan as lines of text: kinds, columns, counts and days, no value."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        grouped: dict[tuple[str, ...], int] = {}
        for s in self.steps:
            of = ", ".join(s.columns) or "whole row"
            said = (s.handling.value, s.kind, of if s.handling is not Handling.KEPT else "ids only")
            told = (*said, "; ".join(s.why), s.source)
            grouped[told] = grouped.get(told, 0) + 1
        yield f"person {self.person_id}"
        for (handling, kind, columns, why, source), count in grouped.items():
            yield f"  {handling:<9} {count:>5}  {kind}: {columns}  [{why}]  ({source})"
        for d in self.demands:
            named = "with the name" if d.name else "without the name"
            until = f" until {d.keep_until}" if d.keep_until else ""
            yield f"  {d.programme.value}: {len(d.custody_ids)} custody records{until}, {named} ({d.source})"
        if self.holding:
            yield f"  still holds {len(self.holding)} devices"
        if self.guardians_left:
            yield f"  {len(self.guardians_left)} guardians are guardian of nobody else"
        if self.shared_name:
            yield "  somebody else has the same name: texts with the name alone are left"
        if self.at_sources:
            yield f"  still named by: {', '.join(self.at_sources)}; remove them there first"
        for s in self.left:
            yield f"  not reached: {s.kind} {', '.join(s.left)}: it stands in the journal"


def plan_erasure(
    tx: ReadTransaction, act: Act, person_id: PersonId, *, raw: RawReader
) -> ErasurePlan:
    """What erasing a person would do. Writes nothing.

    Raises:
        NotFound: no such person.
    """
    return _prepare(tx, act, found(tx, Person, person_id), raw, lambda n: b"\0" * n).plan


def erase_person(
    tx: Transaction,
    act: Act,
    person_id: PersonId,
    *,
    raw: RawReader,
    entropy: Callable[[int], bytes],
    keys: IdentityKeys | None = None,
    while_holding: bool = False,
) -> ErasurePlan:
    """Remove what names a person; their id stays as a pseudonym.

    Personal columns are emptied, notes and what sources said of them go, the key of their marks
    is destroyed, and a name that a programme demands is sealed. Erased again, what has come in
    since is removed as far as it holds the id.

    Args:
        tx: Where to write.
        act: Who, when and why.
        person_id: The person.
        raw: Reads raw records.
        entropy: Gives that many random bytes.
        keys: The district's identity keys.
        while_holding: Whether to go on although they answer for a device.

    Raises:
        NotFound: no such person.
        PersonHoldsDevices: they answer for a device, and neither the policy nor the caller allows it.
        IdentityKeyNeeded: a programme demands the name, and there is no key to seal it.
    """
    tx.lock((Person, (person_id,)))
    ready = _prepare(tx, act, found(tx, Person, person_id), raw, entropy)
    plan, policy = ready.plan, act.policy.retention
    if plan.holding and not (while_holding or policy.erase_while_holding):
        raise PersonHoldsDevices(
            "the person still holds devices", device_ids=plan.holding, rule=HOLDING_RULE
        )
    sealed = tuple(_sealed(tx, act, ready, keys, entropy))
    puts = (*ready.puts, *(Put(identity) for identity in sealed))
    if puts or ready.removes:
        event = PersonErased(kept_for=tuple(s.programme for s in sealed))
        entry = Entry(
            event=event,
            subject_id=person_id,
            stamp=act.stamp(),
            puts=puts,
            removes=ready.removes,
        )
        tx.record([entry])
    for kind, keys_gone in ready.deletes.items():
        tx.delete(kind, keys_gone)
    if ready.upserts:
        tx.upsert(ready.upserts)
    _unmark(tx, ready)
    return plan


def _unmark(tx: Transaction, ready: _Ready) -> None:
    """The pages of pulls hold digests of what was taken out, too."""
    told = [(o.source, o.source_id) for o in ready.upserts if isinstance(o, Observation)]
    told += ready.deletes.get(Observation, [])
    for source in sorted({source for source, _ in told}):
        unmark(tx, source, [source_id for s, source_id in told if s == source])


@frozen(kw_only=True)
class _Ready:
    """A plan, and what it writes."""

    plan: ErasurePlan
    person: Person
    puts: tuple[Put, ...]
    removes: tuple[Record, ...]
    deletes: dict[type[Record], list[tuple[Any, ...]]]
    upserts: list[Record]


def _prepare(
    tx: ReadTransaction,
    act: Act,
    person: Person,
    raw: RawReader,
    entropy: Callable[[int], bytes],
) -> _Ready:
    subject = subject_of(tx, person)
    steps: list[ErasureStep] = []
    puts: list[Put] = []
    removes: list[Record] = []
    deletes: dict[type[Record], list[tuple[Any, ...]]] = {}
    upserts: list[Record] = []
    for trace in traces(tx, subject, raw=raw, notes=_notes(tx, subject)):
        record = trace.record
        if (trace.key == (person.id,) and isinstance(record, Person)) or (
            isinstance(record, PersonLink) and record.person_id == person.id
        ):
            step, after = _emptied(trace, act)
        elif isinstance(record, Guardianship):
            step, after = _step(trace, Handling.REMOVED), None
            removes.append(record)
        elif isinstance(record, RetainedIdentity):
            left = redact(trace, subject.naming, entropy).left
            step = _step(trace, Handling.SEALED, keep_until=record.keep_until, left=left)
            after = None
        else:
            done = redact(trace, subject.naming, entropy)
            step = _step(trace, done.handling, columns=done.columns, left=done.left)
            after = done.after
            if done.handling is Handling.REMOVED:
                deletes.setdefault(type(record), []).append(trace.key)
        steps.append(step)
        if after is not None and kind_of(after).journalled:
            puts.append(Put(after, record))
        elif after is not None:
            upserts.append(after)
    plan = ErasurePlan(
        person_id=person.id,
        steps=tuple(steps),
        demands=_demands(tx, act, subject),
        holding=_holding(subject),
        guardians_left=_guardians_left(tx, person),
        shared_name=subject.shared_name,
        at_sources=_at_sources(steps),
    )
    return _Ready(
        plan=plan,
        person=person,
        puts=tuple(puts),
        removes=tuple(removes),
        deletes=deletes,
        upserts=upserts,
    )


def _step(trace: Trace, handling: Handling, **more: Any) -> ErasureStep:
    return ErasureStep(
        kind=trace.kind,
        key=trace.key,
        handling=handling,
        why=tuple(w.value for w in trace.why),
        source=KIND_RETENTION[trace.kind].source,
        **more,
    )


def _emptied(trace: Trace, act: Act) -> tuple[ErasureStep, Record | None]:
    """A row of their own: every personal column is emptied."""
    record: Any = trace.record
    kind = kind_of(record)
    full = [
        c.field
        for c in kind.columns
        if c.role is Role.PERSONAL and getattr(record, c.field) is not None
    ]
    step = _step(trace, Handling.EMPTIED, columns=tuple(full))
    again = isinstance(record, Person) and record.erased_at is None
    if not full and not again:
        return evolve(step, handling=Handling.KEPT), None
    changes: dict[str, Any] = dict.fromkeys(full) | {"version": record.version + 1}
    if isinstance(record, Person):
        changes["erased_at"] = act.at
    return step, evolve(record, **changes)


def _notes(tx: ReadTransaction, subject: Subject) -> frozenset[str]:
    """Notes that belong to acts about the person."""
    named = (msgspec.json.decode(e.body).get("note") for e in events_about(tx, subject))
    return frozenset(n for n in named if n is not None)


def _holding(subject: Subject) -> tuple[str, ...]:
    lasting = (c for c in subject.custodies if c.ended_at is None)
    return tuple(c.device_id for c in lasting)


def _guardians_left(tx: ReadTransaction, person: Person) -> tuple[str, ...]:
    mine = tx.find(Query(kind=Guardianship, where=F.student_id == person.id))
    left = []
    for guardian_id in [g.guardian_id for g in mine]:
        others = (F.guardian_id == guardian_id) & (F.student_id != person.id)
        if not tx.count(Query(kind=Guardianship, where=others)):
            left.append(guardian_id)
    return tuple(left)


def _at_sources(steps: Iterable[ErasureStep]) -> tuple[str, ...]:
    named = {Why.NAMES.value}
    kinds = ("observation", "sighting")
    return tuple(sorted({str(s.key[0]) for s in steps if s.kind in kinds and named & set(s.why)}))


def _demands(tx: ReadTransaction, act: Act, subject: Subject) -> tuple[Demand, ...]:
    told = []
    for custody in subject.custodies:
        theirs = custody.accountable_kind is HolderKind.PERSON
        device = tx.get(Device, custody.device_id)
        if device is not None and (theirs or custody.holder_kind is HolderKind.PERSON):
            shares = list(tx.find(Query(kind=FundingShare, where=F.device_id == device.id)))
            told.append((custody, device, shares))
    return demands(told, act.policy.retention, on=day_in_district(tx, act.at))


def _sealed(
    tx: Transaction,
    act: Act,
    ready: _Ready,
    keys: IdentityKeys | None,
    entropy: Callable[[int], bytes],
) -> Iterator[RetainedIdentity]:
    """The name for each programme that demands it and does not have it yet."""
    person, today = ready.person, day_in_district(tx, act.at)
    name = " ".join(n for n in (person.given_name, person.family_name) if n)
    if not name or not act.policy.retention.seal_ecf_names:
        return
    for demand in ready.plan.demands:
        programme = demand.programme.value
        if not demand.name or demand.keep_until is None or demand.keep_until < today:
            continue
        if tx.get(RetainedIdentity, person.id, programme) is not None:
            continue
        if keys is None:
            raise IdentityKeyNeeded(
                f"{programme} demands the name of whoever had a device, and there is no key to seal it",
                programme=programme,
                person_id=person.id,
            )
        yield RetainedIdentity(
            person_id=person.id,
            programme=programme,
            keep_until=demand.keep_until,
            key_id=keys.newest.id,
            sealed=seal_name(
                keys.newest,
                name,
                district=tx.district,
                person_id=person.id,
                programme=programme,
                entropy=entropy,
            ),
        )
