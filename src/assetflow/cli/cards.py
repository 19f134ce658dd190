"""What is gathered for one thing and told about it: a device, a custody, an error code."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from assetflow.cli.exits import EXIT_CODES
from assetflow.cli.shapes import CustodyRow, DeviceCard, DeviceRow, ErrorCard, HistoryRow, by_id
from assetflow.cli.shown import Output, cell, note
from assetflow.errors import NotFound, all_errors
from assetflow.model import HolderKind

if TYPE_CHECKING:
    from assetflow.district import District
    from assetflow.model import Custody, Device, Place
    from assetflow.workflows.custody import CustodyResult

__all__ = ["card_lines", "device_card", "error_card", "tell_custody", "tell_devices"]

_SHOWN_EVENTS = 10
_SAID = ("status", "org_unit_path", "asset_tag", "serial")


_COLUMNS = ("asset_tag", "serial", "model", "site", "lifecycle", "custody", "updates_end", "room")


def tell_devices(
    out: Output, devices: Iterable[Device], places: Iterable[Place], *, left_out_unknown: int
) -> None:
    """Write a list of devices."""
    known = by_id(places)
    out.listing(
        "devices.list",
        DeviceRow,
        (DeviceRow.of(device, known) for device in devices),
        columns=_COLUMNS,
        empty="No device.",
        left_out_unknown=left_out_unknown,
    )
    if left_out_unknown and out.for_people:
        note(f"{left_out_unknown:,} more have no value to compare.")


def device_card(district: District, device: Device) -> DeviceCard:
    """A device, who has it, and its newest events."""
    custody = district.custody.of(device)
    events = [stored for stored, _, _ in district.journal.events(subject=("device", device.id))]
    return DeviceCard(
        device=DeviceRow.of(device, by_id(district.places.where())),
        custody=CustodyRow.of(custody) if custody else None,
        holder=holder_name(district, custody) if custody else None,
        claims=district.devices.claims(device),
        history=tuple(HistoryRow.of(event) for event in events[: -_SHOWN_EVENTS - 1 : -1]),
    )


def holder_name(district: District, custody: Custody) -> str | None:
    """Who answers for a device, by name: for standard output, never for a log."""
    if custody.accountable_kind is HolderKind.PERSON:
        return district.people.get(custody.accountable_id).display_name
    if custody.accountable_kind is HolderKind.PLACE:
        return district.places.get(custody.accountable_id).name
    return None


def card_lines(card: DeviceCard) -> list[str]:
    """A device's card for a person."""
    return list(_card_lines(card))


def _card_lines(card: DeviceCard) -> Iterator[str]:
    device = card.device
    yield f"{device.asset_tag or device.serial or device.id}  {device.model or 'unknown model'}"
    pairs = {
        "serial": device.serial,
        "where": ", ".join(x for x in (device.site, device.room) if x),
        "lifecycle": device.lifecycle.replace("_", " "),
        "condition": device.condition,
        "management": device.management,
        "updates end": device.updates_end or "unknown",
        "bought": device.acquired_on,
        "cost": device.purchase_cost,
        "warranty": device.warranty_ends,
        "id": device.id,
    }
    for name, value in pairs.items():
        if value not in (None, ""):
            yield f"  {name:<12}{cell(value)}"
    if card.custody is None:
        yield f"  {'with':<12}nobody"
    else:
        due = f", due {card.custody.due_on}" if card.custody.due_on else ""
        since = cell(card.custody.since)
        yield f"  {'with':<12}{cell(card.holder) or card.custody.accountable_id} since {since}{due}"
    for source, said in card.claims.items():
        told = "; ".join(f"{n.replace('_', ' ')} {cell(said[n])}" for n in _SAID if n in said)
        yield f"  {source + ' says':<12}{told}"
    for event in card.history:
        yield f"  {event.seq:>8,}  {cell(event.recorded_at)}  {event.type}"


def tell_custody(
    out: Output, act: str, district: District, done: CustodyResult, *, dry_run: bool
) -> None:
    """Write what came of an act of custody."""
    row = CustodyRow.of(done.custody, dry_run=dry_run)
    out.single(act, row, lines=[_sentence(act, district, done, dry_run=dry_run)])


def _sentence(act: str, district: District, done: CustodyResult, *, dry_run: bool) -> str:
    name = cell(holder_name(district, done.custody)) or done.custody.accountable_id
    label, due = cell(done.device.label), done.custody.due_on
    if act == "check-in":
        told = f"{label} came back from {name}; it is {cell(done.device.lifecycle)}"
    else:
        told = f"{label} is with {name}" + (f" until {due}" if due else "")
    if dry_run:
        return f"Dry run, nothing was written: {told}."
    return f"{told}." + (" Asked before; nothing was written now." if done.repeated else "")


def error_card(code: str) -> ErrorCard:
    """What an error code means.

    Raises:
        NotFound: there is no such code.
    """
    by_code = {cls.code: cls for cls in all_errors()}
    cls = by_code.get(code.strip().lower())
    if cls is None:
        near = get_close_matches(code, by_code, n=3)
        raise NotFound(
            "there is no such error code",
            hint=f"Near it: {', '.join(near)}."
            if near
            else "It stands after `code` below an error.",
        )
    meaning = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return ErrorCard(
        code=cls.code,
        meaning=meaning,
        what_to_do=cls.default_hint,
        recovery=cls.recovery.value,
        exit_code=EXIT_CODES[cls.code],
        raised_as=cls.__name__,
    )
