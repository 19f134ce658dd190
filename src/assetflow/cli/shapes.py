"""The rows that commands write: each field of the JSON output, and what it says.

They are an interface of their own: a record of the library may gain fields, these change only
with the schema version. `assetflow.cli.schemas` makes JSON schemas of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from assetflow.model import Money

if TYPE_CHECKING:
    from assetflow.model import Custody, Device, Place
    from assetflow.rules.decision import Explanation
    from assetflow.store.ports import StoredEvent
    from assetflow.workflows.attention import AttentionGroup, AttentionItem

__all__ = [
    "AttentionGroupRow",
    "AttentionRow",
    "CustodyRow",
    "DeviceCard",
    "DeviceRow",
    "ErrorCard",
    "ExplanationCard",
    "HistoryRow",
    "JournalRow",
    "ReasonRow",
    "by_id",
]


@frozen(kw_only=True)
class DeviceRow:
    """A device in a list."""

    id: str
    """Its id."""
    asset_tag: str | None
    """The district's own tag."""
    serial: str | None
    """The maker's serial number."""
    model: str | None
    """Its model."""
    manufacturer: str | None
    """Its maker."""
    lifecycle: str
    """Where it is between order and disposal."""
    custody: str
    """``none``, ``assigned`` or ``loaned``."""
    condition: str
    """What shape it is in."""
    management: str
    """What the device-management system says."""
    funding: str
    """What its money binds it to."""
    site: str | None
    """Code of its site."""
    room: str | None
    """Name of its room or cart."""
    updates_end: date | None
    """Auto-update expiration that holds today."""
    purchase_cost: Money | None
    """What was paid for it."""
    acquired_on: date | None
    """When the district acquired it."""
    warranty_ends: date | None
    """Last day of the warranty."""

    @classmethod
    def of(cls, device: Device, places: Mapping[str, Place]) -> Self:
        """A device's row.

        Args:
            device: The device.
            places: All places by id.
        """
        site, room = places.get(device.site_id or ""), places.get(device.room_id or "")
        return cls(
            id=device.id,
            asset_tag=device.asset_tag,
            serial=device.serial,
            model=device.model,
            manufacturer=device.manufacturer,
            lifecycle=device.lifecycle.value,
            custody=device.custody.value,
            condition=device.condition.value,
            management=device.management.value,
            funding=device.funding.value,
            site=(site.code or site.name) if site else None,
            room=room.name if room else None,
            updates_end=device.updates_end,
            purchase_cost=device.purchase_cost,
            acquired_on=device.acquired_on,
            warranty_ends=device.warranty_ends,
        )


@frozen(kw_only=True)
class CustodyRow:
    """A stay of a device with somebody."""

    id: str
    """Its id."""
    device_id: str
    """The device."""
    kind: str
    """``assignment`` or ``loan``."""
    accountable_kind: str
    """What answers for it: ``person``, ``place``, ``vendor``, ``device``."""
    accountable_id: str
    """Id of who answers for it."""
    holder_kind: str
    """What has it in hand."""
    holder_id: str
    """Id of who has it in hand."""
    since: datetime
    """When it began."""
    due_on: date | None
    """When it is to come back."""
    ended_at: datetime | None
    """When it ended; null while it lasts."""
    dry_run: bool
    """Whether nothing was written."""

    @classmethod
    def of(cls, custody: Custody, *, dry_run: bool = False) -> Self:
        """A custody's row."""
        return cls(
            id=custody.id,
            device_id=custody.device_id,
            kind=custody.kind.value,
            accountable_kind=custody.accountable_kind.value,
            accountable_id=custody.accountable_id,
            holder_kind=custody.holder_kind.value,
            holder_id=custody.holder_id,
            since=custody.since,
            due_on=custody.due_on,
            ended_at=custody.ended_at,
            dry_run=dry_run,
        )


@frozen(kw_only=True)
class DeviceCard:
    """One device, and who has it."""

    device: DeviceRow
    """The device."""
    custody: CustodyRow | None
    """Its open custody."""
    holder: str | None
    """Who has it, by name. Personal."""
    claims: Mapping[str, Any]
    """What each source last said of it. May be personal."""
    history: tuple[HistoryRow, ...]
    """What the journal has about it, the newest first."""


@frozen(kw_only=True)
class HistoryRow:
    """Something that happened to a device."""

    seq: int
    """Its number in the district's journal."""
    recorded_at: datetime
    """When it was written down."""
    type: str
    """What happened, such as ``device.checked_out@1``."""

    @classmethod
    def of(cls, event: StoredEvent) -> Self:
        """An event's row."""
        at = datetime.fromisoformat(event.recorded_at)
        return cls(seq=event.seq, recorded_at=at, type=event.type)


@frozen(kw_only=True)
class ReasonRow:
    """A rule that was looked at."""

    rule: str
    """Its code."""
    verdict: str
    """``passed``, ``overridden``, ``refused`` or ``not-asked``."""
    detail: Mapping[str, Any]
    """What it looked at: ids, codes, counts and days."""


@frozen(kw_only=True)
class ExplanationCard:
    """Whether an act would be allowed, and why."""

    act: str
    """The act."""
    allowed: bool
    """Whether it would go through."""
    decided_by: tuple[str, ...]
    """The rules that decided."""
    error_code: str | None
    """Code of the refusal."""
    because: tuple[ReasonRow, ...]
    """Every rule, in the order in which they are asked."""

    @classmethod
    def of(cls, told: Explanation[Any]) -> Self:
        """An explanation's card."""
        return cls(
            act=told.act,
            allowed=told.allowed,
            decided_by=told.decided_by,
            error_code=told.refusal.code if told.refusal else None,
            because=tuple(
                ReasonRow(rule=r.rule, verdict=r.verdict.value, detail=dict(r.detail))
                for r in told.because
            ),
        )


@frozen(kw_only=True)
class ErrorCard:
    """What an error code means."""

    code: str
    """The code."""
    meaning: str
    """What it says."""
    what_to_do: str
    """What to do about it."""
    recovery: str
    """What a program should do: ``retry``, ``fix-input``, ``fix-config``, ``skip``, ``report``."""
    exit_code: int
    """The exit code of a command that ends with it."""
    raised_as: str
    """Its class in Python."""


@frozen(kw_only=True)
class AttentionRow:
    """Something that needs a person."""

    kind: str
    """What it is, such as ``overdue-loan``."""
    subject_kind: str
    """What it is about: ``device``, ``run``, ``observation``."""
    subject_id: str
    """The id of what it is about."""
    label: str
    """What a person calls it: a device's tag or serial, never a person's name."""
    age_days: int | None
    """For how many days; negative for days that are left."""
    money: Money | None
    """Money at stake."""
    detail: Mapping[str, Any]
    """Ids, codes and counts that belong to it."""
    call: str
    """The Python call that resolves it, or shows more."""
    command: str
    """The same on the command line."""

    @classmethod
    def of(cls, item: AttentionItem, *, command: str) -> Self:
        """An item's row."""
        return cls(
            kind=item.kind,
            subject_kind=item.subject_kind,
            subject_id=item.subject_id,
            label=item.label,
            age_days=item.age_days,
            money=item.money,
            detail=dict(item.detail),
            call=item.call,
            command=command,
        )


@frozen(kw_only=True)
class AttentionGroupRow:
    """All things of one kind that need a person."""

    kind: str
    """The kind."""
    title: str
    """What a list calls it."""
    count: int
    """How many there are."""
    oldest_days: int | None
    """The age of the oldest."""
    money: Money | None
    """Money at stake, over those of which it is known."""
    money_unknown: int
    """Of how many it is not known."""
    example: str
    """The first one's label."""
    command: str
    """The command that shows all of them."""

    @classmethod
    def of(cls, group: AttentionGroup, *, command: str) -> Self:
        """A group's row."""
        return cls(
            kind=group.kind,
            title=group.title,
            count=group.count,
            oldest_days=group.oldest_days,
            money=group.money,
            money_unknown=group.money_unknown,
            example=group.first.label,
            command=command,
        )


@frozen(kw_only=True)
class JournalRow:
    """What a verification of the journal found."""

    verified: bool
    """Whether every link of the chain holds."""
    events: int
    """How many events there are."""
    checked: int
    """How many of them were hashed again: those since the seal or the number that was given."""
    head: str
    """Hash of the newest event, hexadecimal; keep it elsewhere to prove the rest."""


def by_id(places: Any) -> dict[str, Place]:
    """Places by their id."""
    return {place.id: place for place in places}
