"""Who has a device, as an inventory says it: an assignment that began before anybody used this library.

A file records what is so already; it hands nothing out. So the rules that protect the record
hold (one holder, nobody who left, no day that is still to come), and those that belong to the
hand-out do not: how many devices somebody has, their holds, the device's condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from assetflow.exchange.imports.cells import BadCell
from assetflow.exchange.imports.people_index import KnownPerson, PeopleIndex
from assetflow.model import (
    KEEPS_HOLDER,
    Condition,
    CustodyId,
    CustodyPolicy,
    Device,
    Holder,
    HolderKind,
    Lifecycle,
    OpenCustody,
    PersonKind,
)
from assetflow.rules import custody as rules
from assetflow.rules.custody import Case, Party
from assetflow.store.ports import Entry, Put
from assetflow.workflows.custody import last_event
from assetflow.workflows.devices import OUT_OF_SERVICE
from assetflow.workflows.saving import decided_entries

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction
    from assetflow.workflows.acting import Act

__all__ = ["Assignments", "Placed"]

_CODES = {"holder-left": "person-left", "device-in-other-hands": "in-other-hands"}
_RECORD = CustodyPolicy(max_devices=1_000, blocking_holds=(), conditions=tuple(Condition))


@frozen(kw_only=True)
class Placed:
    """An assignment that a row records."""

    person: KnownPerson
    """Who has the device."""
    since: datetime | None
    """Since when; ``None`` for now."""
    lifecycle: Lifecycle
    """Where the device stands with it: lost and stolen devices keep who answers for them."""
    last_event_at: datetime | None = None
    """When the device's last custody began or ended."""


@define
class Assignments:
    """Finds the people whom a file names, and asks the custody rules."""

    _people: PeopleIndex = field(factory=PeopleIndex, init=False)
    _zone: tzinfo = field(default=UTC, init=False)

    def load(self, people: PeopleIndex, zone: tzinfo) -> None:
        """Take over everybody, and the district's time zone."""
        self._people, self._zone = people, zone

    def decide(
        self,
        tx: ReadTransaction,
        values: Mapping[str, Any],
        said: Mapping[str, Any],
        before: Device | None,
        after: Device,
        held: OpenCustody | None,
        *,
        at: datetime,
    ) -> tuple[Placed | None, Device]:
        """What a named holder means for a device.

        Args:
            tx: Where to read past custodies.
            values: The row's values, defaults of a new record included.
            said: The row's own values.
            before: The device before the row; ``None`` for a new one.
            after: The device with the row's other fields.
            held: Its open custody.
            at: Now.

        Returns:
            The assignment to record, ``None`` when it is recorded already; and the device, whose
            lifecycle is one in which it has a holder.

        Raises:
            BadCell: nobody or several answer to that, or a rule says no.
        """
        person = self._person(values["assigned_to"])
        if held is not None:
            if held.accountable_id == person.id:
                return None, after
            raise BadCell(
                "in-other-hands",
                "somebody else has the device; check it in first, or use transfer",
                candidates=(after.id,),
            )
        if after.lifecycle in OUT_OF_SERVICE:
            raise BadCell(
                "out-of-service", f"names a holder, while the device is {after.lifecycle.value}"
            )
        if after.lifecycle not in KEEPS_HOLDER and "lifecycle" in said:
            raise BadCell(
                "contradicts", f"names a holder, while the row says {after.lifecycle.value}"
            )
        lifecycle = after.lifecycle if after.lifecycle in KEEPS_HOLDER else Lifecycle.DEPLOYED
        day = values.get("assigned_on")
        since = None if day is None else datetime.combine(day, time(), self._zone).astimezone(UTC)
        last = None if before is None else last_event(tx, before.id)
        placed = Placed(person=person, since=since, lifecycle=lifecycle, last_event_at=last)
        device = evolve(after, lifecycle=lifecycle)
        refusal = self._ask(device, placed, at, CustodyId("new")).refusal
        if refusal is not None:
            raise BadCell(_CODES.get(refusal.code, refusal.code), refusal.message)
        return placed, device

    def _person(self, text: str) -> KnownPerson:
        named = self._people.named(text, (PersonKind.STUDENT, PersonKind.STAFF))
        if len(named) > 1:
            ids = tuple(sorted(p.id for p in named)[:10])
            raise BadCell("ambiguous", "more than one person answers to that", candidates=ids)
        if not named:
            raise BadCell(
                "unknown-person",
                "nobody has that number or address; import people first, or leave the column out: mapping={...: None}",
            )
        return named[0]

    def _ask(self, device: Device, placed: Placed, at: datetime, custody_id: CustodyId) -> Any:
        holder = Holder(HolderKind.PERSON, placed.person.id)
        case = Case(
            # Somebody had it before it was ever recorded: it is deployed, and nobody was named.
            device=evolve(device, lifecycle=Lifecycle.DEPLOYED),
            current=None,
            policy=_RECORD,
            at=at,
            today=at.astimezone(self._zone).date(),
            effective_at=placed.since,
            last_event_at=placed.last_event_at,
            to=Party(holder=holder, state=placed.person.status.value),
            reason="import",
            custody_id=custody_id,
        )
        return rules.explain_check_out(case)

    def entry(self, act: Act, device: Device, placed: Placed) -> Entry:
        """The entry that records an assignment.

        Args:
            act: Who, when and why.
            device: The device as it is before it, in the same transaction.
            placed: The assignment.
        """
        act = evolve(act, reason=act.reason or "import", effective_at=placed.since)
        decision = self._ask(device, placed, act.at, CustodyId(act.new_id())).unwrap()
        (entry,) = decided_entries(act, decision)
        # Not deployed in between: it is where the row says, and was when it was read.
        puts = [
            Put(evolve(put.after, lifecycle=placed.lifecycle), device)
            if isinstance(put.after, Device)
            else put
            for put in entry.puts
        ]
        return evolve(entry, puts=tuple(puts))
