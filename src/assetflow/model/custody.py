"""Custody: who answers for a device, and who has it in hand. The two may differ."""

import enum
from datetime import date, datetime
from typing import ClassVar

from attrs import frozen

from assetflow.model.fields import Journalled, Record, quiet
from assetflow.model.ids import CustodyId, DeviceId

__all__ = ["Custody", "CustodyKind", "Holder", "HolderKind", "OpenCustody"]


class HolderKind(enum.Enum):
    """What can hold a device."""

    PERSON = "person"
    """A student or an employee."""
    PLACE = "place"
    """A room, a cart, a department, a bench."""
    VENDOR = "vendor"
    """A repair vendor or a maker."""
    DEVICE = "device"
    """Another asset, such as a dock in a cart."""


class CustodyKind(enum.Enum):
    """On what terms a device is out."""

    ASSIGNMENT = "assignment"
    """Assigned, for the year or until further notice."""
    LOAN = "loan"
    """Lent, to come back on a day."""


@frozen
class Holder:
    """Somebody or something that can hold a device."""

    kind: HolderKind
    """What it is."""
    id: str
    """Its id."""


@frozen(kw_only=True, field_transformer=quiet)
class Custody(Record):
    """One stay of a device with somebody, from check-out to check-in."""

    KIND: ClassVar[str] = "custody"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("device_id", "since"),
        ("accountable_id", "ended_at"),
        ("holder_id", "ended_at"),
        ("due_on",),
    )
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("device_id", "device"),)

    id: Journalled[CustodyId]
    """Its id."""
    device_id: Journalled[DeviceId]
    """The device."""
    kind: Journalled[CustodyKind]
    """Assignment or loan."""
    accountable_kind: Journalled[HolderKind]
    """What answers for the device."""
    accountable_id: Journalled[str]
    """Who answers for the device."""
    holder_kind: Journalled[HolderKind]
    """What has it in hand."""
    holder_id: Journalled[str]
    """Who has it in hand."""
    since: Journalled[datetime]
    """When it began, as it happened in the school."""
    due_on: Journalled[date | None] = None
    """The day on which it is to come back."""
    ended_at: Journalled[datetime | None] = None
    """When it ended; ``None`` while it lasts."""
    ended_by: Journalled[str | None] = None
    """How it ended: ``check-in`` or ``transfer``."""
    version: Journalled[int] = 1
    """Grows by one with each change."""

    @property
    def accountable(self) -> Holder:
        """Who answers for the device."""
        return Holder(self.accountable_kind, self.accountable_id)

    @property
    def holder(self) -> Holder:
        """Who has it in hand."""
        return Holder(self.holder_kind, self.holder_id)


@frozen(kw_only=True, field_transformer=quiet)
class OpenCustody(Record):
    """The custody that is open for a device. Its key makes two at once impossible."""

    KIND: ClassVar[str] = "custody_open"
    KEY: ClassVar[tuple[str, ...]] = ("device_id",)
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("accountable_id",),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("device_id", "device"),
        ("custody_id", "custody"),
    )

    device_id: Journalled[DeviceId]
    """The device."""
    custody_id: Journalled[CustodyId]
    """The custody that is open."""
    accountable_id: Journalled[str]
    """Who answers for it, for counting what somebody has."""
