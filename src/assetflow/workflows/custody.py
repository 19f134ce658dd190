"""Check out, check in, transfer: the first verbs.

Each locks the device and the receiver, reads them then, lets the rules of
[`assetflow.rules.custody`][] decide, and writes the records, the event and the intents for other
systems in the caller's transaction. A refusal writes nothing. `explain_...` asks the same rules
and shows what every one of them found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, cast

from attrs import evolve, frozen

from assetflow.errors import InvalidValue, NotFound, StoreDamaged
from assetflow.model import (
    Condition,
    Custody,
    CustodyId,
    CustodyKind,
    Device,
    DeviceId,
    F,
    Hold,
    Holder,
    HolderKind,
    OpenCustody,
    Order,
    Person,
    PersonId,
    Place,
    Query,
)
from assetflow.rules import custody as rules
from assetflow.rules.custody import Case, Party
from assetflow.workflows.given import day, day_in_district, listed, word
from assetflow.workflows.holds import holds
from assetflow.workflows.notes import add_note
from assetflow.workflows.once import once
from assetflow.workflows.references import (
    DeviceRef,
    HolderRef,
    resolve_device,
    resolve_holder,
)
from assetflow.workflows.saving import save

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.model import Record
    from assetflow.rules.decision import Decision, Explanation, Reason
    from assetflow.store.ports import Key, ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = [
    "CustodyResult",
    "check_in",
    "check_out",
    "explain_check_in",
    "explain_check_out",
    "explain_transfer",
    "last_event",
    "transfer",
]


@frozen(kw_only=True)
class CustodyResult:
    """What came of a check-out, check-in or transfer."""

    device: Device
    """The device as it is now."""
    custody: Custody
    """The custody that began; for a check-in, the one that ended."""
    because: tuple[Reason, ...] = ()
    """Every rule looked at; empty when the answer was remembered."""
    overridden: tuple[str, ...] = ()
    """Rules that were overridden."""
    repeated: bool = False
    """Whether the same request had been made before under its key. The ids are those of the
    first time; the records are as they stand now."""


def check_out(
    tx: Transaction,
    act: Act,
    device: DeviceRef,
    *,
    to: HolderRef,
    held_by: HolderRef | None = None,
    kind: CustodyKind | str | None = None,
    due: date | str | None = None,
    override: Sequence[str] = (),
    note: str | None = None,
    key: str | None = None,
) -> CustodyResult:
    """Hand a device to somebody.

    Args:
        tx: The transaction; nothing has been locked in it yet.
        act: Who, when and why. Its ``effective_at`` back-dates the act, its ``reason`` is needed
            for an override.
        device: The device.
        to: Who answers for it: a person, or a place such as a cart.
        held_by: Who has it in hand, when that is somebody else.
        kind: ``assignment`` or ``loan``; an assignment when not given.
        due: The day on which it is to come back; a loan needs one.
        override: Rules to override, of those that the policy allows.
        note: Free words, for a row of its own that can be erased. They are no part of the
            request: the same one under its key with other words is answered as the first time.
        key: Idempotency key: the same request under it is answered as the first time.

    Raises:
        Refusal: a rule says no, see [`check_out`][assetflow.rules.custody.check_out].
        NotFound: no such device or receiver.
        AmbiguousReference: more than one answers to that.
        InvalidValue: a value that cannot be what it should be.
        IdempotencyMismatch: another request was made under this key.
        DuplicateKey: another transaction handed it out at the same moment; do it again.
    """
    asked = _Asked.on(tx, device, to, held_by, kind, due, None, override)

    def do() -> CustodyResult:
        tx.lock(*asked.targets())
        return _save(tx, act, rules.check_out(_case(tx, act, asked, blocking=True)), note)

    return _once(tx, act, key, "custody.check-out", asked, do)


def check_in(
    tx: Transaction,
    act: Act,
    device: DeviceRef,
    *,
    condition: Condition | str | None = None,
    expected_from: HolderRef | None = None,
    note: str | None = None,
    key: str | None = None,
) -> CustodyResult:
    """Take a device back.

    Args:
        tx: The transaction; nothing has been locked in it yet.
        act: Who, when and why. Its ``effective_at`` back-dates the act.
        device: The device.
        condition: In what condition it comes back; kept when nobody looked.
        expected_from: Who should have it; somebody else's device is refused.
        note: Free words, as for a check-out.
        key: Idempotency key: the same request under it is answered as the first time.

    Raises:
        Refusal: a rule says no, see [`check_in`][assetflow.rules.custody.check_in].
        NotFound: no such device or holder.
        AmbiguousReference: more than one answers to that.
        InvalidValue: a value that cannot be what it should be.
        IdempotencyMismatch: another request was made under this key.
    """
    asked = _Asked.back(tx, device, condition, expected_from)

    def do() -> CustodyResult:
        tx.lock(*asked.targets())
        return _save(tx, act, rules.check_in(_case(tx, act, asked, blocking=True)), note)

    return _once(tx, act, key, "custody.check-in", asked, do)


def transfer(
    tx: Transaction,
    act: Act,
    device: DeviceRef,
    *,
    to: HolderRef,
    held_by: HolderRef | None = None,
    kind: CustodyKind | str | None = None,
    due: date | str | None = None,
    expected_from: HolderRef | None = None,
    override: Sequence[str] = (),
    note: str | None = None,
    key: str | None = None,
) -> CustodyResult:
    """Hand a device on from who has it to somebody else, without its coming back between.

    Args:
        tx: The transaction; nothing has been locked in it yet.
        act: Who, when and why. Its ``effective_at`` back-dates the act, its ``reason`` is needed
            for an override.
        device: The device.
        to: Who answers for it from now on.
        held_by: Who has it in hand, when that is somebody else.
        kind: ``assignment`` or ``loan``; as it was when not given.
        due: The day on which it is to come back; as it was when the kind stays.
        expected_from: Who should have it now; somebody else's device is refused.
        override: Rules to override, of those that the policy allows.
        note: Free words, as for a check-out.
        key: Idempotency key: the same request under it is answered as the first time.

    Raises:
        Refusal: a rule says no, see [`transfer`][assetflow.rules.custody.transfer].
        NotFound: no such device or receiver.
        AmbiguousReference: more than one answers to that.
        InvalidValue: a value that cannot be what it should be.
        IdempotencyMismatch: another request was made under this key.
    """
    asked = _Asked.on(tx, device, to, held_by, kind, due, expected_from, override)

    def do() -> CustodyResult:
        tx.lock(*asked.targets())
        return _save(tx, act, rules.transfer(_case(tx, act, asked, blocking=True)), note)

    return _once(tx, act, key, "custody.transfer", asked, do)


def explain_check_out(
    tx: ReadTransaction,
    act: Act,
    device: DeviceRef,
    *,
    to: HolderRef,
    held_by: HolderRef | None = None,
    kind: CustodyKind | str | None = None,
    due: date | str | None = None,
    override: Sequence[str] = (),
) -> Explanation[Custody]:
    """What `check_out` would do, and why. Nothing is written.

    Raises:
        NotFound: no such device or receiver.
        AmbiguousReference: more than one answers to that.
        InvalidValue: a value that cannot be what it should be.
    """
    asked = _Asked.on(tx, device, to, held_by, kind, due, None, override)
    return rules.explain_check_out(_case(tx, act, asked))


def explain_check_in(
    tx: ReadTransaction,
    act: Act,
    device: DeviceRef,
    *,
    condition: Condition | str | None = None,
    expected_from: HolderRef | None = None,
) -> Explanation[Custody]:
    """What `check_in` would do, and why. Nothing is written.

    Raises:
        NotFound: no such device or holder.
        AmbiguousReference: more than one answers to that.
        InvalidValue: a value that cannot be what it should be.
    """
    asked = _Asked.back(tx, device, condition, expected_from)
    return rules.explain_check_in(_case(tx, act, asked))


def explain_transfer(
    tx: ReadTransaction,
    act: Act,
    device: DeviceRef,
    *,
    to: HolderRef,
    held_by: HolderRef | None = None,
    kind: CustodyKind | str | None = None,
    due: date | str | None = None,
    expected_from: HolderRef | None = None,
    override: Sequence[str] = (),
) -> Explanation[Custody]:
    """What `transfer` would do, and why. Nothing is written.

    Raises:
        NotFound: no such device or receiver.
        AmbiguousReference: more than one answers to that.
        InvalidValue: a value that cannot be what it should be.
    """
    asked = _Asked.on(tx, device, to, held_by, kind, due, expected_from, override)
    return rules.explain_transfer(_case(tx, act, asked))


# --- what was asked ----------------------------------------------------------------------------


@frozen(kw_only=True)
class _Asked:
    """What was asked, with every reference resolved to an id."""

    device_id: DeviceId
    to: Holder | None = None
    held_by: Holder | None = None
    kind: CustodyKind | None = None
    due_on: date | None = None
    condition: Condition | None = None
    expected_from: Holder | None = None
    override: tuple[str, ...] = ()

    @classmethod
    def on(
        cls,
        tx: ReadTransaction,
        device: DeviceRef,
        to: HolderRef,
        held_by: HolderRef | None,
        kind: CustodyKind | str | None,
        due: date | str | None,
        expected_from: HolderRef | None,
        override: Sequence[str],
    ) -> _Asked:
        rules_ = listed(str, override, "rules to override")
        receiver = resolve_holder(tx, to)
        if receiver.kind not in {HolderKind.PERSON, HolderKind.PLACE}:
            hint = "A vendor or another device may have it in hand: held_by=..."
            raise InvalidValue("a person or a place answers for a device", hint=hint)
        return cls(
            device_id=resolve_device(tx, device),
            to=receiver,
            held_by=None if held_by is None else resolve_holder(tx, held_by),
            kind=word(CustodyKind, kind, "the kind of custody"),
            due_on=day(due, "the due date"),
            expected_from=None if expected_from is None else resolve_holder(tx, expected_from),
            override=rules_,
        )

    @classmethod
    def back(
        cls,
        tx: ReadTransaction,
        device: DeviceRef,
        condition: Condition | str | None,
        expected_from: HolderRef | None,
    ) -> _Asked:
        return cls(
            device_id=resolve_device(tx, device),
            condition=word(Condition, condition, "the condition"),
            expected_from=None if expected_from is None else resolve_holder(tx, expected_from),
        )

    def targets(self) -> list[tuple[type[Record], Key]]:
        """What to lock before it is read."""
        found: list[tuple[type[Record], Key]] = [(Device, (self.device_id,))]
        if self.to is not None:
            found.append((_record_of(self.to), (self.to.id,)))
        return found

    def parts(self) -> list[str | None]:
        """What makes this request another one."""
        holders = (self.to, self.held_by, self.expected_from)
        return [
            self.device_id,
            *(None if h is None else f"{h.kind.value}:{h.id}" for h in holders),
            None if self.kind is None else self.kind.value,
            None if self.due_on is None else self.due_on.isoformat(),
            None if self.condition is None else self.condition.value,
            *self.override,
        ]


# --- load, decide, save ------------------------------------------------------------------------


def _case(tx: ReadTransaction, act: Act, asked: _Asked, *, blocking: bool = False) -> Case:
    """Read what the rules look at. *blocking* leaves out holds that the policy does not block on."""
    device = tx.get(Device, asked.device_id)
    if device is None:
        raise NotFound("the device is not there", device_id=asked.device_id)
    current = _current(tx, device.id)
    follows = act.effective_at is not None or current is None
    when = act.effective_at or act.at
    today = when.date() if asked.to is None else day_in_district(tx, when)
    found: tuple[Hold, ...] = ()
    held = 0
    if asked.to is not None and asked.to.kind is HolderKind.PERSON:
        kinds = act.policy.custody.blocking_holds if blocking else None
        found = holds(tx, PersonId(asked.to.id), today, kinds=kinds)
        held = tx.count(Query(kind=OpenCustody, where=F.accountable_id == asked.to.id))
    if asked.held_by is not None:
        _exists(tx, asked.held_by, device)
    return Case(
        device=device,
        current=current,
        policy=act.policy.custody,
        at=act.at,
        today=today,
        effective_at=act.effective_at,
        last_event_at=last_event(tx, device.id) if follows else None,
        to=None if asked.to is None else _party(tx, asked.to),
        held_by=asked.held_by,
        holds=found,
        held=held,
        kind=asked.kind,
        due_on=asked.due_on,
        condition=asked.condition,
        expected_from=asked.expected_from,
        override=asked.override,
        reason=act.reason,
        custody_id=CustodyId(act.new_id()) if asked.to is not None else None,
    )


def _current(tx: ReadTransaction, device_id: DeviceId) -> Custody | None:
    opened = tx.get(OpenCustody, device_id)
    if opened is None:
        return None
    custody = tx.get(Custody, opened.custody_id)
    if custody is None:
        raise StoreDamaged("an open custody is not there", custody_id=opened.custody_id)
    return custody


def last_event(tx: ReadTransaction, device_id: DeviceId) -> datetime | None:
    """When the newest of a device's custodies that ended did; ``None`` when none has.

    A clock may have been set back since, and two machines' clocks differ: what follows begins no
    earlier than this, so that custodies do not overlap and lie in the order of the journal.
    """
    # Not by when they began: one that ended at once began when the next did.
    newest = Query(
        kind=Custody,
        where=F.device_id == device_id,
        order=(Order("ended_at", descending=True),),
        limit=1,
    )
    return next((custody.ended_at for custody in tx.find(newest)), None)


def _record_of(holder: Holder) -> type[Person | Place]:
    return Person if holder.kind is HolderKind.PERSON else Place


def _party(tx: ReadTransaction, holder: Holder) -> Party:
    if holder.kind is HolderKind.PERSON:
        person = tx.get(Person, holder.id)
        if person is None:
            raise NotFound("the person is not there", person_id=holder.id)
        state = "erased" if person.erased_at is not None else person.status.value
        return Party(holder=holder, state=state)
    place = tx.get(Place, holder.id)
    if place is None:
        raise NotFound("the place is not there", place_id=holder.id)
    return Party(holder=holder, state="closed" if place.closed else "open")


def _exists(tx: ReadTransaction, holder: Holder, device: Device) -> None:
    if holder.kind is HolderKind.VENDOR:
        return
    if holder.kind is HolderKind.DEVICE and holder.id == device.id:
        raise InvalidValue("a device does not hold itself")
    record = {HolderKind.PERSON: Person, HolderKind.PLACE: Place, HolderKind.DEVICE: Device}
    if tx.get(record[holder.kind], holder.id) is None:
        raise NotFound("who is to have it in hand is not there", holder_id=holder.id)


def _save(
    tx: Transaction, act: Act, decision: Decision[Custody], note: str | None
) -> CustodyResult:
    device = cast(Device, decision.happened[0].writes[0].after)
    if note is not None:
        # Only here, where the act is sure to happen: a repeated or refused one writes none.
        act = evolve(act, note_id=add_note(tx, act, Device.KIND, device.id, note))
    save(tx, act, decision)
    return CustodyResult(
        device=device,
        custody=decision.result,
        because=decision.because,
        overridden=decision.overridden,
    )


def _once(
    tx: Transaction,
    act: Act,
    key: str | None,
    what: str,
    asked: _Asked,
    do: Callable[[], CustodyResult],
) -> CustodyResult:
    def recall(ids: Mapping[str, str]) -> CustodyResult:
        device, custody = tx.get(Device, ids["device"]), tx.get(Custody, ids["custody"])
        if device is None or custody is None:
            raise NotFound("what was answered then is not there any more", **ids)
        return CustodyResult(device=device, custody=custody, repeated=True)

    return once(
        tx,
        act,
        key,
        what=what,
        parts=asked.parts(),
        do=do,
        ids=lambda result: {"device": result.device.id, "custody": result.custody.id},
        recall=recall,
    )
