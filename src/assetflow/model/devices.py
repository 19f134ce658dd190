"""Devices: identity, and five axes that move independently of one another.

There is no single ``status``: a Chromebook can be deployed to a student, lie on a repair bench,
have a broken screen, be disabled in the vendor's console and belong to a federal programme, all
at once.
"""

import enum
from datetime import date
from typing import ClassVar, Final

from attrs import field, frozen

from assetflow.model.fields import Derived, Journalled, Record, quiet
from assetflow.model.ids import DeviceId, ModelId, PlaceId
from assetflow.model.money import Money

__all__ = [
    "KEEPS_HOLDER",
    "Condition",
    "CustodyState",
    "CustomField",
    "CustomType",
    "CustomValue",
    "Device",
    "DeviceLink",
    "DeviceModel",
    "ExtendedUpdates",
    "FundingState",
    "Lifecycle",
    "Management",
    "ServiceLine",
    "fold_serial",
    "fold_tag",
]


class Lifecycle(enum.Enum):
    """Where a device is between its order and its disposal."""

    ORDERED = "ordered"
    """On a purchase order, not here."""
    RECEIVED = "received"
    """Here, not yet made ready."""
    IN_STOCK = "in_stock"
    """Ready to go out."""
    DEPLOYED = "deployed"
    """Out, with an accountable party."""
    IN_REPAIR = "in_repair"
    """Being repaired; keeps its accountable party."""
    LOST = "lost"
    """Nobody knows where; keeps its accountable party."""
    STOLEN = "stolen"
    """Taken; keeps its accountable party."""
    RETIRED = "retired"
    """Out of use, still here."""
    SANITIZED = "sanitized"
    """Its data destroyed, with a certificate."""
    DISPOSED = "disposed"
    """Gone: sold, given, recycled."""


KEEPS_HOLDER: Final = (
    Lifecycle.DEPLOYED,
    Lifecycle.IN_REPAIR,
    Lifecycle.LOST,
    Lifecycle.STOLEN,
)
"""Lifecycles in which a device has somebody who answers for it."""


class CustodyState(enum.Enum):
    """Who has a device, in one word."""

    NONE = "none"
    """Nobody: it lies in stock."""
    ASSIGNED = "assigned"
    """Assigned to its accountable party."""
    LOANED = "loaned"
    """Lent until a due date."""


class Condition(enum.Enum):
    """What shape a device is in."""

    NEW = "new"
    """Never used."""
    GOOD = "good"
    """No fault worth a note."""
    FAIR = "fair"
    """Worn, works."""
    POOR = "poor"
    """Works with faults."""
    BROKEN = "broken"
    """Does not work."""
    UNKNOWN = "unknown"
    """Nobody looked."""


class Management(enum.Enum):
    """What the device-management system says of a device."""

    UNKNOWN = "unknown"
    """No system has said anything, or an unknown word."""
    PENDING = "pending"
    """Known there, not enrolled yet."""
    MANAGED = "managed"
    """Enrolled and active."""
    DISABLED = "disabled"
    """Locked there."""
    DEPROVISIONED = "deprovisioned"
    """No longer managed there."""
    ABSENT = "absent"
    """A complete listing no longer had it."""


class FundingState(enum.Enum):
    """What binds a device through the money that paid for it."""

    UNKNOWN = "unknown"
    """No funding share is recorded."""
    UNRESTRICTED = "unrestricted"
    """The district's own money only."""
    RESTRICTED = "restricted"
    """At least one share carries a programme's rules."""


class ExtendedUpdates(enum.Enum):
    """Google's opt-in to updates beyond the ordinary auto-update expiration."""

    UNKNOWN = "unknown"
    """No source says."""
    NOT_NEEDED = "not_needed"
    """The full period is automatic."""
    AVAILABLE = "available"
    """An admin may opt in; until then the shorter date holds."""
    OPTED_IN = "opted_in"
    """The longer date holds."""


class CustomType(enum.Enum):
    """What a declared custom field holds."""

    TEXT = "text"
    """Text."""
    INTEGER = "integer"
    """A whole number."""
    DATE = "date"
    """A day."""
    FLAG = "flag"
    """Yes or no."""
    MONEY = "money"
    """An amount in the district's currency."""


@frozen(kw_only=True, field_transformer=quiet)
class CustomField(Record):
    """A custom field that the district declared for its devices."""

    KIND: ClassVar[str] = "custom_field"
    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: Journalled[str]
    """Its name in filters and files, such as ``charger_type``."""
    type: Journalled[CustomType]
    """What it holds."""
    label: Journalled[str | None] = None
    """Its heading as printed."""
    choices: Journalled[tuple[str, ...]] = ()
    """The texts that are allowed; empty for any."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen
class CustomValue:
    """A device's value of a declared custom field, in its canonical text form."""

    name: str
    """The declared field's name."""
    value: str
    """Text; a whole number; an ISO date; ``true`` or ``false``; an amount such as ``12.50``."""


@frozen(kw_only=True)
class ServiceLine:
    """A service that belongs to a device, such as a hotspot's data plan (47 CFR 54.1715)."""

    kind: str
    """``mobile-data``, ``warranty``, ``licence``."""
    provider: str
    """Who provides it."""
    account: str | None = None
    """The provider's line or account number. Not a person's."""
    starts_on: date | None = None
    """First day of service."""
    ends_on: date | None = None
    """Last day of service."""
    monthly_cost: Money | None = None
    """What it costs in a month."""
    down_mbps: int | None = None
    """Download speed in megabits per second."""
    up_mbps: int | None = None
    """Upload speed in megabits per second."""
    data_cap_gb: int | None = None
    """Data cap in gigabytes; ``None`` for none or unknown."""


@frozen(kw_only=True, field_transformer=quiet)
class DeviceModel(Record):
    """A model: what is true of all its devices."""

    KIND: ClassVar[str] = "device_model"
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("name_key",),)

    id: Journalled[ModelId]
    """Its id."""
    name: Journalled[str]
    """Its name as the maker prints it, such as ``HP Chromebook 11 G9 EE``."""
    name_key: Journalled[str]
    """The name folded for look-up: lower case, single spaces."""
    manufacturer: Journalled[str | None] = None
    """Who makes it."""
    category: Journalled[str | None] = None
    """``chromebook``, ``tablet``, ``laptop``, ``hotspot``, ``charger``."""
    auto_update_ends: Journalled[date | None] = None
    """Auto-update expiration without the opt-in; unknown is not far away."""
    auto_update_ends_extended: Journalled[date | None] = None
    """Auto-update expiration with the opt-in."""
    replacement_cost: Journalled[Money | None] = None
    """What a new one costs today."""
    life_months: Journalled[int | None] = None
    """How long the district's policy expects it to live."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True, field_transformer=quiet)
class Device(Record):
    """A device that the district holds or has ordered."""

    KIND: ClassVar[str] = "device"
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("tag_key",),
        ("serial_key",),
        ("lifecycle", "site_id"),
        ("auto_update_ends",),
        ("model_id",),
    )
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("model_id", "device_model"),
        ("site_id", "place"),
        ("room_id", "place"),
    )

    id: Journalled[DeviceId]
    """Its id."""
    asset_tag: Journalled[str | None] = None
    """The district's own tag, as on the label."""
    serial: Journalled[str | None] = None
    """The maker's serial number, as text."""
    tag_key: Derived[str | None] = None
    """The tag folded for look-up, see [`fold_tag`][assetflow.model.fold_tag]."""
    serial_key: Derived[str | None] = None
    """The serial folded over characters that look alike, see [`fold_serial`][assetflow.model.fold_serial]."""
    model_id: Journalled[ModelId | None] = None
    """Its model."""
    model: Derived[str | None] = None
    """The model's name."""
    manufacturer: Derived[str | None] = None
    """The model's maker."""
    lifecycle: Journalled[Lifecycle] = Lifecycle.RECEIVED
    """First axis: between order and disposal."""
    custody: Derived[CustodyState] = CustodyState.NONE
    """Second axis: who has it; the open custody record says it in full."""
    condition: Journalled[Condition] = Condition.UNKNOWN
    """Third axis: what shape it is in."""
    management: Journalled[Management] = Management.UNKNOWN
    """Fourth axis: what the device-management system says."""
    funding: Derived[FundingState] = FundingState.UNKNOWN
    """Fifth axis: what its money binds it to; the funding shares say it in full."""
    auto_update_ends: Journalled[date | None] = None
    """Auto-update expiration of this device without the opt-in."""
    auto_update_ends_extended: Journalled[date | None] = None
    """Auto-update expiration of this device with the opt-in."""
    extended_updates: Journalled[ExtendedUpdates] = ExtendedUpdates.UNKNOWN
    """Where the opt-in stands."""
    site_id: Journalled[PlaceId | None] = None
    """The school or campus that it belongs to."""
    room_id: Journalled[PlaceId | None] = None
    """The room or cart where it is kept."""
    purchase_cost: Journalled[Money | None] = None
    """What was paid for it."""
    acquired_on: Journalled[date | None] = None
    """The day on which the district acquired it."""
    installed_on: Journalled[date | None] = None
    """The day on which it was put into service; E-Rate counts from here (47 CFR 54.513)."""
    order_line: Journalled[str | None] = None
    """Purchase order and line, such as ``PO-2291/3``."""
    warranty_ends: Journalled[date | None] = None
    """Last day of the warranty."""
    services: Journalled[tuple[ServiceLine, ...]] = ()
    """Services that belong to it."""
    custom: Journalled[tuple[CustomValue, ...]] = ()
    """Declared custom fields, sorted by name."""
    version: Journalled[int] = 1
    """Grows by one with each change."""

    @property
    def updates_end(self) -> date | None:
        """The auto-update expiration that holds today; ``None`` when unknown."""
        if self.extended_updates is ExtendedUpdates.OPTED_IN and self.auto_update_ends_extended:
            return self.auto_update_ends_extended
        return self.auto_update_ends

    @property
    def label(self) -> str:
        """What a person calls it: the tag, else the serial, else the id."""
        return self.asset_tag or self.serial or self.id


@frozen(kw_only=True, field_transformer=quiet)
class DeviceLink(Record):
    """Which device a source's record is."""

    KIND: ClassVar[str] = "device_link"
    KEY: ClassVar[tuple[str, ...]] = ("source", "source_id")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("device_id",),)
    REFERS: ClassVar[tuple[tuple[str, str], ...]] = (("device_id", "device"),)

    source: Journalled[str]
    """The source's name, such as ``google``."""
    source_id: Journalled[str]
    """The vendor's id of the device."""
    device_id: Journalled[DeviceId]
    """The device here."""
    matched_by: Journalled[str] = field(default="new")
    """How it was found: ``source-id``, ``serial``, ``asset-tag``, ``new``, ``person``."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


_ALIKE = str.maketrans({"O": "0", "I": "1", "S": "5", "B": "8", "Z": "2"})


def fold_tag(tag: str | None) -> str | None:
    """A tag as a scanner or a hurried person may give it: upper case, no space around."""
    return (tag.strip().upper() or None) if tag else None


def fold_serial(serial: str | None) -> str | None:
    """A serial with characters that look alike made equal: O and 0, I and 1, S and 5, B and 8, Z and 2.

    Two serials that fold alike are a suggestion to a person, never a match.
    """
    folded = fold_tag(serial)
    return folded.translate(_ALIKE) if folded else None
