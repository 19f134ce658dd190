"""Records what paid for a device, as dated shares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from assetflow.errors import NotFound
from assetflow.model import Device, F, FundingShare, Order, Query
from assetflow.rules import funding as rules
from assetflow.rules.funding import NewShare, shares_on
from assetflow.workflows.given import day, day_in_district, listed
from assetflow.workflows.references import DeviceRef, resolve_device
from assetflow.workflows.saving import save

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = ["NewShare", "funding_of", "record_funding"]


def funding_of(
    tx: ReadTransaction, device: DeviceRef, *, on: date | None = None
) -> tuple[FundingShare, ...]:
    """The shares of a device: those in force on a day, or all of its history, oldest first.

    Args:
        tx: Reads of the district.
        device: The device.
        on: The day; ``None`` for the history.

    Raises:
        NotFound: no such device.
        AmbiguousReference: more than one answers to that.
    """
    shares = _shares(tx, resolve_device(tx, device))
    return shares if on is None else shares_on(shares, on)


def record_funding(
    tx: Transaction,
    act: Act,
    device: DeviceRef,
    shares: Sequence[NewShare],
    *,
    starts_on: date | str | None = None,
) -> tuple[FundingShare, ...]:
    """Let shares take the place of those in force, from a day on; the old ones end and stay.

    Args:
        tx: The transaction; nothing has been locked in it yet.
        act: Who, when and why.
        device: The device.
        shares: What pays for it from that day on; together 100 %.
        starts_on: The day; today when not given.

    Returns:
        The new shares.

    Raises:
        FundingInvalid: shares that do not add up to 100 %.
        DateRefused: a day to come, or one before the newest shares.
        NotFound: no such device.
        AmbiguousReference: more than one answers to that.
    """
    shares = listed(NewShare, shares, "shares")
    device_id = resolve_device(tx, device)
    tx.lock((Device, (device_id,)))
    held = tx.get(Device, device_id)
    if held is None:
        raise NotFound("the device is not there", device_id=device_id)
    today = day_in_district(tx, act.at)
    decision = rules.record_funding(
        held,
        _shares(tx, device_id),
        shares,
        starts_on=day(starts_on, "the first day") or today,
        today=today,
        ids=[act.new_id() for _ in shares],
    )
    save(tx, act, decision)
    return decision.result


def _shares(tx: ReadTransaction, device_id: str) -> tuple[FundingShare, ...]:
    oldest = (Order("starts_on"),)
    return tuple(tx.find(Query(kind=FundingShare, where=F.device_id == device_id, order=oldest)))
