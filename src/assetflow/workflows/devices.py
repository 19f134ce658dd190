"""Devices: registered, edited and funded, one at a time or many at once.

A ``..._entry`` function builds what is written, without touching a store, so that an import or
a pull can write a thousand of them in one transaction. The verbs below load, check and write
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.errors import DeviceInOtherHands, DuplicateKey, FundingInvalid, InvalidValue, Refusal
from assetflow.model import (
    WHOLE,
    CustodyState,
    Device,
    DeviceId,
    DeviceLink,
    DeviceModel,
    F,
    FundingShare,
    FundingState,
    Lifecycle,
    Place,
    Query,
    fold_serial,
    fold_tag,
)
from assetflow.model.events import DeviceEdited, DeviceRegistered, FundingRecorded
from assetflow.rules.derived import funding_state, with_model
from assetflow.store.ports import Entry, Put
from assetflow.workflows.edits import changed_fields, found, next_version, with_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = [
    "DEVICE_FIELDS",
    "OUT_OF_SERVICE",
    "devices_named",
    "edit_device",
    "edit_device_entry",
    "fund_device",
    "funding_entry",
    "register_device",
    "register_device_entry",
]

DEVICE_FIELDS = frozenset(
    {
        "asset_tag",
        "serial",
        "model_id",
        "lifecycle",
        "condition",
        "auto_update_ends",
        "auto_update_ends_extended",
        "extended_updates",
        "site_id",
        "room_id",
        "purchase_cost",
        "acquired_on",
        "installed_on",
        "order_line",
        "warranty_ends",
        "services",
        "custom",
    }
)
"""Fields of a device that a person or a file may set. Custody and funding have verbs of their
own, ``management`` is a vendor's word, the rest follows."""

OUT_OF_SERVICE = frozenset({Lifecycle.RETIRED, Lifecycle.SANITIZED, Lifecycle.DISPOSED})
"""Where a device does not come back from by itself: it has to be said."""

_KEEPS_ITS_HOLDER = frozenset(
    {Lifecycle.DEPLOYED, Lifecycle.IN_REPAIR, Lifecycle.LOST, Lifecycle.STOLEN}
)


# --- entries -------------------------------------------------------------------------------


def register_device_entry(
    act: Act,
    device: Device,
    *,
    model: DeviceModel | None = None,
    links: Iterable[DeviceLink] = (),
    shares: Iterable[FundingShare] = (),
    source: str | None = None,
    source_id: str | None = None,
) -> Entry:
    """The entry that puts a device into the inventory.

    Args:
        act: Who, when and why.
        device: The device; its derived fields are computed here.
        model: Its model.
        links: Links of vendors' records to it.
        shares: Funding shares that [`funding_entry`][assetflow.workflows.devices.funding_entry]
            will record, so that the device shows them from the start.
        source: The source or file that it came from.
        source_id: The vendor's id, when a connector found it.

    Returns:
        The entry; the device as it will be is ``entry.puts[0].after``.
    """
    after = evolve(
        with_model(device, model),
        custody=CustodyState.NONE,
        funding=funding_state(shares),
    )
    event = DeviceRegistered(source=source, source_id=source_id)
    puts = (Put(after), *(Put(link) for link in links))
    return Entry(event=event, subject_id=after.id, stamp=act.stamp(), puts=puts)


def edit_device_entry(
    act: Act,
    before: Device,
    after: Device,
    *,
    model: DeviceModel | None = None,
    revive: bool = False,
    source: str | None = None,
) -> Entry | None:
    """The entry that changes fields of a device; ``None`` when nothing differs.

    Args:
        act: Who, when and why.
        before: The device as it was read.
        after: The device as it is to be; version and derived fields are set here.
        model: Its model, when ``model_id`` changes.
        revive: Let a retired or disposed device come back into service.
        source: The file's kind, when a file says so.

    Raises:
        Refusal: it is out of service and would silently come back (``device.revive``).
        DeviceInOtherHands: it would go where no device in somebody's hands can be.
        InvalidValue: the model is not the one that ``model_id`` names.
    """
    names = changed_fields(before, after)
    if not names:
        return None
    if after.lifecycle is not before.lifecycle:
        _check_lifecycle(before, after, revive=revive)
    if after.model_id != before.model_id:
        if (model.id if model else None) != after.model_id:
            raise InvalidValue("the model is not the one that the device names", device_id=after.id)
        after = with_model(after, model)
    else:
        after = evolve(
            after, tag_key=fold_tag(after.asset_tag), serial_key=fold_serial(after.serial)
        )
    event = DeviceEdited(fields=names, source=source)
    put = Put(next_version(before, after), before)
    return Entry(event=event, subject_id=after.id, stamp=act.stamp(), puts=(put,))


def _check_lifecycle(before: Device, after: Device, *, revive: bool) -> None:
    if before.lifecycle in OUT_OF_SERVICE and after.lifecycle not in OUT_OF_SERVICE and not revive:
        raise Refusal(
            f"the device is {before.lifecycle.value}, and would come back into service",
            hint="Register the new device under a tag of its own; or say revive=True.",
            rule="device.revive",
            device_id=before.id,
        )
    held = before.custody is not CustodyState.NONE
    if held and after.lifecycle not in _KEEPS_ITS_HOLDER:
        raise DeviceInOtherHands(
            f"the device is {before.custody.value}, and cannot become {after.lifecycle.value}",
            rule="device.lifecycle",
            device_id=before.id,
        )


def funding_entry(
    act: Act,
    device: Device,
    shares: Sequence[FundingShare],
    *,
    starts_on: date,
    live: Sequence[FundingShare] = (),
    registered: bool = False,
) -> Entry:
    """The entry that records what pays for a device from a day on, in place of what did.

    Args:
        act: Who, when and why.
        device: The device as it was read.
        shares: The new shares; together they are the whole.
        starts_on: First day on which they hold.
        live: The shares that hold until then; they end on that day and are not edited.
        registered: The device is registered in the same breath and shows the shares already.

    Raises:
        FundingInvalid: the shares do not add up to 100 %, name another device or day, or would
            begin before one that they end.
    """
    total = sum(s.basis_points for s in shares)
    if total != WHOLE or any(s.basis_points <= 0 for s in shares):
        raise FundingInvalid(
            "funding shares add up to 100 %", rule="funding.whole", basis_points=total
        )
    if any(s.device_id != device.id or s.starts_on != starts_on or s.ends_on for s in shares):
        raise FundingInvalid(
            "funding shares are of one device and begin on one day", rule="funding.one-day"
        )
    if any(s.starts_on > starts_on for s in live):
        raise FundingInvalid("funding shares begin after those that they end", rule="funding.order")
    ended = [Put(next_version(s, evolve(s, ends_on=starts_on)), s) for s in live]
    puts = [*ended, *(Put(s) for s in shares)]
    if not registered:
        after = evolve(device, funding=funding_state(shares), version=device.version + 1)
        puts.insert(0, Put(after, device))
    event = FundingRecorded(starts_on=starts_on)
    return Entry(event=event, subject_id=device.id, stamp=act.stamp(), puts=tuple(puts))


# --- verbs ---------------------------------------------------------------------------------


def register_device(
    tx: Transaction,
    act: Act,
    device: Device,
    *,
    shares: Sequence[FundingShare] = (),
    source: str | None = None,
) -> Device:
    """Put a device into the inventory.

    Args:
        tx: Where to write.
        act: Who, when and why.
        device: The device, with a new id.
        shares: What paid for it; all of them, or none when unknown.
        source: The source or file that it came from.

    Returns:
        The device as it is now.

    Raises:
        InvalidValue: neither tag nor serial.
        DuplicateKey: a device has that tag or serial.
        Refusal: a device that is out of service had it (``device.revive``).
        NotFound: no such model or place.
        FundingInvalid: the shares do not add up.
    """
    if fold_tag(device.asset_tag) is None and fold_tag(device.serial) is None:
        raise InvalidValue("a device needs an asset tag or a serial number")
    _check_names(tx, device)
    model = _check_references(tx, device)
    entry = register_device_entry(act, device, model=model, shares=shares, source=source)
    entries = [entry]
    after: Device = entry.puts[0].after  # type: ignore[assignment]  # the device
    if shares:
        day = shares[0].starts_on
        entries.append(funding_entry(act, after, shares, starts_on=day, registered=True))
    tx.record(entries)
    return after


def edit_device(
    tx: Transaction,
    act: Act,
    device_id: DeviceId,
    changes: Mapping[str, Any],
    *,
    revive: bool = False,
) -> Device:
    """Set fields of a device.

    Args:
        tx: Where to write.
        act: Who, when and why.
        device_id: The device.
        changes: Field to value, of [`DEVICE_FIELDS`][assetflow.workflows.devices.DEVICE_FIELDS];
            ``None`` empties one, a field that is not named stays.
        revive: Let a retired or disposed device come back into service.

    Returns:
        The device as it is now.

    Raises:
        NotFound: no such device, model or place.
        InvalidValue: a field that may not be set, or neither tag nor serial is left.
        DuplicateKey: another device has that tag or serial.
        Refusal: as [`edit_device_entry`][assetflow.workflows.devices.edit_device_entry].
    """
    tx.lock((Device, (device_id,)))
    before = found(tx, Device, device_id)
    after = with_changes(before, changes, DEVICE_FIELDS)
    if fold_tag(after.asset_tag) is None and fold_tag(after.serial) is None:
        raise InvalidValue("a device needs an asset tag or a serial number", device_id=device_id)
    if {"asset_tag", "serial"} & set(changes):
        _check_names(tx, after)
    model = _check_references(tx, after)
    entry = edit_device_entry(act, before, after, model=model, revive=revive)
    if entry is None:
        return before
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the device


def fund_device(
    tx: Transaction,
    act: Act,
    device_id: DeviceId,
    shares: Sequence[FundingShare],
    *,
    starts_on: date,
) -> FundingState:
    """Record what pays for a device from a day on; what did until then ends on that day.

    Raises:
        NotFound: no such device.
        FundingInvalid: as [`funding_entry`][assetflow.workflows.devices.funding_entry].
    """
    tx.lock((Device, (device_id,)))
    device = found(tx, Device, device_id)
    query = Query(kind=FundingShare, where=F.device_id == device_id)
    live = [s for s in tx.find(query) if s.ends_on is None]
    entry = funding_entry(act, device, shares, starts_on=starts_on, live=live)
    tx.record([entry])
    return funding_state(shares)


def devices_named(tx: ReadTransaction, device: Device) -> list[Device]:
    """The other devices that have this one's tag or serial."""
    named: dict[DeviceId, Device] = {}
    tag, serial = fold_tag(device.asset_tag), fold_tag(device.serial)
    if tag is not None:
        named |= {d.id: d for d in tx.find(Query(kind=Device, where=F.tag_key == tag))}
    if serial is not None:
        alike = tx.find(Query(kind=Device, where=F.serial_key == fold_serial(serial)))
        named |= {d.id: d for d in alike if fold_tag(d.serial) == serial}
    named.pop(device.id, None)
    return list(named.values())


def _check_names(tx: ReadTransaction, device: Device) -> None:
    others = devices_named(tx, device)
    gone = [d.id for d in others if d.lifecycle in OUT_OF_SERVICE]
    live = [d.id for d in others if d.lifecycle not in OUT_OF_SERVICE]
    if live:
        raise DuplicateKey("another device has that tag or serial", device_id=live[0])
    if gone:
        raise Refusal(
            "a device that is out of service has that tag or serial",
            hint="Give the new device a tag of its own, or edit the old one with revive=True.",
            rule="device.revive",
            device_id=gone[0],
        )


def _check_references(tx: ReadTransaction, device: Device) -> DeviceModel | None:
    for place_id in (device.site_id, device.room_id):
        if place_id is not None:
            found(tx, Place, place_id)
    return None if device.model_id is None else found(tx, DeviceModel, device.model_id)
