"""Devices: registered and edited, one at a time or many at once.

A ``..._entry`` function builds what is written, without touching a store, so that an import or
a pull can write a thousand of them in one transaction. The verbs below load, check and write
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.errors import DeviceInOtherHands, DuplicateKey, InvalidValue, Refusal
from assetflow.model import (
    KEEPS_HOLDER,
    CustodyState,
    Device,
    DeviceId,
    DeviceLink,
    DeviceModel,
    F,
    FundingState,
    Lifecycle,
    Place,
    Query,
    fold_serial,
    fold_tag,
)
from assetflow.model.events import DeviceEdited, DeviceRegistered
from assetflow.rules.derived import with_model
from assetflow.store.ports import Entry, Put
from assetflow.workflows.edits import changed_fields, found, next_version, with_changes
from assetflow.workflows.naming import lock_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = [
    "DEVICE_FIELDS",
    "OUT_OF_SERVICE",
    "devices_named",
    "edit_device",
    "edit_device_entry",
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


# --- entries -------------------------------------------------------------------------------


def register_device_entry(
    act: Act,
    device: Device,
    *,
    model: DeviceModel | None = None,
    links: Iterable[DeviceLink] = (),
    funding: FundingState = FundingState.UNKNOWN,
    source: str | None = None,
    source_id: str | None = None,
) -> Entry:
    """The entry that puts a device into the inventory.

    Args:
        act: Who, when and why.
        device: The device; its derived fields are computed here.
        model: Its model.
        links: Links of vendors' records to it.
        funding: What the shares that are recorded in the same breath bind it to.
        source: The source or file that it came from.
        source_id: The vendor's id, when a connector found it.

    Returns:
        The entry; the device as it will be is ``entry.puts[0].after``.
    """
    after = evolve(with_model(device, model), custody=CustodyState.NONE, funding=funding)
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
    if held and after.lifecycle not in KEEPS_HOLDER:
        raise DeviceInOtherHands(
            f"the device is {before.custody.value}, and cannot become {after.lifecycle.value}",
            rule="device.lifecycle",
            device_id=before.id,
        )


# --- verbs ---------------------------------------------------------------------------------


def register_device(
    tx: Transaction, act: Act, device: Device, *, source: str | None = None
) -> Device:
    """Put a device into the inventory.

    Args:
        tx: Where to write.
        act: Who, when and why.
        device: The device, with a new id.
        source: The source or file that it came from.

    Returns:
        The device as it is now.

    Raises:
        InvalidValue: neither tag nor serial.
        DuplicateKey: a device has that tag or serial.
        Refusal: a device that is out of service had it (``device.revive``).
        NotFound: no such model or place.
    """
    if fold_tag(device.asset_tag) is None and fold_tag(device.serial) is None:
        raise InvalidValue("a device needs an asset tag or a serial number")
    lock_names(tx)
    _check_names(tx, device)
    entry = register_device_entry(act, device, model=_check_references(tx, device), source=source)
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the device


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
    names = bool({"asset_tag", "serial"} & set(changes))
    if names or revive:
        lock_names(tx)
    tx.lock((Device, (device_id,)))
    before = found(tx, Device, device_id)
    after = with_changes(before, changes, DEVICE_FIELDS)
    if fold_tag(after.asset_tag) is None and fold_tag(after.serial) is None:
        raise InvalidValue("a device needs an asset tag or a serial number", device_id=device_id)
    if names:
        _check_names(tx, after)
    model = _check_references(tx, after)
    entry = edit_device_entry(act, before, after, model=model, revive=revive)
    if entry is None:
        return before
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the device


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
