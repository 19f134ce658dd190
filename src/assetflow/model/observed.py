"""What a source claims. It is not what the district holds true: two records, side by side."""

import enum
from datetime import date, datetime
from typing import ClassVar

from attrs import frozen

from assetflow.model.devices import ExtendedUpdates, Management
from assetflow.model.fields import Journalled, Personal, Record, Volatile, quiet
from assetflow.model.ids import DeviceId, RunId
from assetflow.model.people import PersonKind, PersonStatus
from assetflow.model.places import PlaceKind

__all__ = [
    "Observation",
    "ObservedDevice",
    "ObservedKind",
    "ObservedOrgUnit",
    "ObservedPerson",
    "ObservedPlace",
    "Sighting",
]


class ObservedKind(enum.Enum):
    """What a source can be asked for."""

    DEVICE = "device"
    """Devices."""
    PERSON = "person"
    """People."""
    PLACE = "place"
    """Places and organisations."""
    ORG_UNIT = "org_unit"
    """Org units of a device-management system."""


@frozen(field_transformer=quiet)
class ObservedDevice:
    """A device as one source describes it. Built by a connector's mapping, positionally for speed.

    The role of a field says how a change of it is told: journalled fields with their value,
    personal ones by name only, volatile ones not at all.
    """

    source_id: Journalled[str]
    """The vendor's id of the device."""
    serial: Journalled[str | None] = None
    """Serial number; ``None`` when the vendor gives none or a placeholder."""
    asset_tag: Journalled[str | None] = None
    """The district's tag as entered at the vendor."""
    model: Journalled[str | None] = None
    """Model name as the vendor writes it."""
    manufacturer: Journalled[str | None] = None
    """Maker, when the vendor gives it apart from the model."""
    status: Journalled[str | None] = None
    """The vendor's own word for the state, unchanged."""
    management: Journalled[Management] = Management.UNKNOWN
    """What that word means here."""
    org_unit_id: Journalled[str | None] = None
    """Id of the org unit, site or group, in one spelling."""
    org_unit_path: Personal[str | None] = None
    """Its path as printed. Whoever makes an org unit names it freely, also after a person."""
    auto_update_ends: Journalled[date | None] = None
    """Auto-update expiration without the opt-in."""
    auto_update_ends_extended: Journalled[date | None] = None
    """Auto-update expiration with the opt-in."""
    extended_updates: Journalled[ExtendedUpdates] = ExtendedUpdates.UNKNOWN
    """Where the opt-in stands."""
    enrolled_at: Journalled[str | None] = None
    """Instant of the last enrolment, ISO 8601 in UTC."""
    location: Personal[str | None] = None
    """Location as entered at the vendor."""
    assigned_to: Personal[str | None] = None
    """Who the vendor says has it: an e-mail address or a name."""
    notes: Personal[str | None] = None
    """Notes as entered at the vendor."""
    last_seen_at: Volatile[str | None] = None
    """Instant of the last contact with the vendor, ISO 8601 in UTC."""
    os_version: Volatile[str | None] = None
    """Version of the operating system."""
    recent_user: Personal[str | None] = None
    """The newest sign-in, when the vendor tells."""
    mac_address: Volatile[str | None] = None
    """Wireless hardware address, twelve lower-case hexadecimal digits."""
    disk_free_bytes: Volatile[int | None] = None
    """Free space."""
    ram_bytes: Volatile[int | None] = None
    """Memory installed."""


@frozen(kw_only=True, field_transformer=quiet)
class ObservedPerson:
    """A person as one source describes them."""

    source_id: Personal[str]
    """The source's id, byte for byte."""
    kind: Journalled[PersonKind]
    """What the source says that they are."""
    status: Journalled[PersonStatus] = PersonStatus.UNKNOWN
    """Whether the source says that they are there."""
    local_id: Personal[str | None] = None
    """Student or staff number as text."""
    given_name: Personal[str | None] = None
    """Given name."""
    family_name: Personal[str | None] = None
    """Family name."""
    preferred_name: Personal[str | None] = None
    """The given name that they go by."""
    email: Personal[str | None] = None
    """School address."""
    homeroom: Personal[str | None] = None
    """Homeroom."""
    grade: Journalled[str | None] = None
    """Grade as coded there."""
    place_source_id: Journalled[str | None] = None
    """The source's id of the home school or work site."""
    guardian_source_ids: Personal[tuple[str, ...]] = ()
    """The source's ids of the guardians."""


@frozen(kw_only=True)
class ObservedPlace:
    """An organisation as one source describes it."""

    source_id: str
    """The source's id."""
    kind: PlaceKind
    """What it is."""
    name: str
    """Its name."""
    code: str | None = None
    """Its code, when the source gives one."""
    parent_source_id: str | None = None
    """The source's id of the organisation that it belongs to."""


@frozen(kw_only=True)
class ObservedOrgUnit:
    """An org unit of a device-management system."""

    source_id: str
    """Its id in one spelling, stable when the unit is renamed."""
    path: str
    """Its path, such as ``/Students/LHS``."""
    name: str
    """The last part of the path."""
    parent_source_id: str | None = None
    """The id of the unit above."""


@frozen(kw_only=True, field_transformer=quiet)
class Observation(Record):
    """The newest claim of a source about one record, and its digest.

    Kept beside the device, not in it: field authority decides what of it the district takes
    over, and disagreement stays visible.
    """

    KIND: ClassVar[str] = "observation"
    KEY: ClassVar[tuple[str, ...]] = ("source", "source_id")
    INDEXES: ClassVar[tuple[tuple[str, ...], ...]] = (("device_id",), ("source", "absent_since"))

    source: Volatile[str]
    """The source's name."""
    source_id: Volatile[str]
    """The vendor's id."""
    device_id: Volatile[DeviceId | None] = None
    """The device that it was matched to; ``None`` while it waits for a person."""
    digest: Volatile[bytes]
    """17 bytes over the tracked fields, the first of which names the scheme; empty to have the
    claim weighed again by the next pull."""
    facts: Personal[str]
    """The tracked fields as a JSON object, unknown ones left out."""
    first_run_id: Volatile[RunId]
    """The run that saw it first."""
    changed_run_id: Volatile[RunId]
    """The run that saw it change last."""
    absent_since: Volatile[datetime | None] = None
    """When a complete listing first lacked it."""
    raw: Personal[bytes | None] = None
    """The vendor's record, compressed with the connector's dictionary."""
    raw_dictionary: Volatile[int | None] = None
    """Version of that dictionary; ``None`` when ``raw`` is empty."""


@frozen(kw_only=True, field_transformer=quiet)
class Sighting(Record):
    """Last contact and telemetry of a device at one source: narrow, written in bulk every day."""

    KIND: ClassVar[str] = "sighting"
    KEY: ClassVar[tuple[str, ...]] = ("source", "source_id")
    # No index on the last contact: keeping one up to date costs twice what writing the row costs,
    # for every device every day, and to read all rows of a narrow table takes a moment.

    source: Volatile[str]
    """The source's name."""
    source_id: Volatile[str]
    """The vendor's id."""
    last_seen_at: Volatile[str | None] = None
    """Instant of the last contact, ISO 8601 in UTC."""
    os_version: Volatile[str | None] = None
    """Version of the operating system."""
    disk_free_bytes: Volatile[int | None] = None
    """Free space."""
    recent_user: Personal[str | None] = None
    """The newest sign-in."""
