"""What happened: typed events, one frozen class each, without personal data.

An event names its subject by opaque id and holds ids, codes and declared non-personal values.
Beside it the journal keeps which records changed and how, see
[`assetflow.store.journal`][assetflow.store.journal]. A type ends with its version: the shape of
``device.registered@1`` never changes; a new shape is ``@2``.
"""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import ClassVar, Protocol

from attrs import frozen

from assetflow.model.custody import CustodyKind, HolderKind
from assetflow.model.devices import Condition, Lifecycle
from assetflow.model.ids import ActorId, BatchId

__all__ = [
    "EVENT_TYPES",
    "CalendarSet",
    "CustomFieldDeclared",
    "DeviceAbsent",
    "DeviceCheckedIn",
    "DeviceCheckedOut",
    "DeviceEdited",
    "DeviceLinked",
    "DeviceModelChanged",
    "DeviceObserved",
    "DeviceRegistered",
    "DeviceReturned",
    "DeviceTransferred",
    "DistrictCreated",
    "Event",
    "FundingRecorded",
    "GuardianLinked",
    "HoldPlaced",
    "HoldReleased",
    "PersonChanged",
    "PersonErased",
    "PersonIdentityDestroyed",
    "PersonIdentityResealed",
    "PersonLeft",
    "PersonRegistered",
    "PlaceChanged",
    "PolicyAdopted",
    "Stamp",
    "WebhookAdded",
    "WebhookChanged",
    "WebhookDisabled",
]


class Event(Protocol):
    """What every event class has."""

    TYPE: ClassVar[str]
    """``subject.verb@version``."""
    SUBJECT: ClassVar[str]
    """The kind of record that it is about."""


@frozen(kw_only=True)
class Stamp:
    """Who did it, when, and why: what every event carries beside its own fields."""

    actor_id: ActorId
    """Who acted; the label is an erasable row."""
    recorded_at: datetime
    """When it was written down, in UTC. Order comes from the sequence, never from here."""
    effective_at: datetime | None = None
    """When it happened in the school, when that differs."""
    reason: str | None = None
    """A code, such as ``hand-out``; free words go into a note."""
    note_id: str | None = None
    """The erasable note."""
    batch_id: BatchId | None = None
    """The pull, import or session that it belongs to."""


@frozen(kw_only=True)
class DistrictCreated:
    """A district was set up in the store."""

    TYPE: ClassVar[str] = "district.created@1"
    SUBJECT: ClassVar[str] = "district"

    name: str
    """Its name."""


@frozen(kw_only=True)
class PolicyAdopted:
    """The district's policy was set or changed."""

    TYPE: ClassVar[str] = "policy.adopted@1"
    SUBJECT: ClassVar[str] = "policy"

    digest: str
    """SHA-256 of the policy's canonical text, hexadecimal."""


@frozen(kw_only=True)
class PlaceChanged:
    """A place was added or changed."""

    TYPE: ClassVar[str] = "place.changed@1"
    SUBJECT: ClassVar[str] = "place"

    source: str | None = None
    """The source or file that said so."""


@frozen(kw_only=True)
class CalendarSet:
    """The school days of a year were set or changed."""

    TYPE: ClassVar[str] = "school_calendar.set@1"
    SUBJECT: ClassVar[str] = "school_calendar"

    year: str
    """The school year."""


@frozen(kw_only=True)
class CustomFieldDeclared:
    """A custom field was declared."""

    TYPE: ClassVar[str] = "custom_field.declared@1"
    SUBJECT: ClassVar[str] = "custom_field"


@frozen(kw_only=True)
class DeviceModelChanged:
    """A device model was added or changed."""

    TYPE: ClassVar[str] = "device_model.changed@1"
    SUBJECT: ClassVar[str] = "device_model"

    source: str | None = None
    """The source or file that said so."""


@frozen(kw_only=True)
class DeviceRegistered:
    """A device entered the inventory."""

    TYPE: ClassVar[str] = "device.registered@1"
    SUBJECT: ClassVar[str] = "device"

    source: str | None = None
    """The source or file that it came from."""
    source_id: str | None = None
    """The vendor's id, when a connector found it."""


@frozen(kw_only=True)
class DeviceEdited:
    """Fields of a device were changed by a person or a file."""

    TYPE: ClassVar[str] = "device.edited@1"
    SUBJECT: ClassVar[str] = "device"

    fields: tuple[str, ...]
    """Names of the fields."""
    source: str | None = None
    """The file's kind, when a file said so."""


@frozen(kw_only=True)
class DeviceLinked:
    """A source's record was matched to a device that was there."""

    TYPE: ClassVar[str] = "device.linked@1"
    SUBJECT: ClassVar[str] = "device"

    source: str
    """The source."""
    source_id: str
    """The vendor's id."""
    matched_by: str
    """How: ``serial``, ``asset-tag``, ``person``."""


@frozen(kw_only=True)
class DeviceObserved:
    """A source's tracked fields of a device changed."""

    TYPE: ClassVar[str] = "device.observed@1"
    SUBJECT: ClassVar[str] = "device"

    source: str
    """The source."""
    source_id: str
    """The vendor's id."""
    fields: tuple[str, ...]
    """Names of the observed fields that changed."""
    values: Mapping[str, str | None]
    """New values of those that are not personal."""
    taken: tuple[str, ...] = ()
    """Names of the device's fields that were taken over, because the source has authority."""
    disagrees: tuple[str, ...] = ()
    """Names of fields on which the district holds something else."""


@frozen(kw_only=True)
class DeviceAbsent:
    """A complete listing of a source no longer had the device."""

    TYPE: ClassVar[str] = "device.absent@1"
    SUBJECT: ClassVar[str] = "device"

    source: str
    """The source."""
    source_id: str
    """The vendor's id."""


@frozen(kw_only=True)
class DeviceReturned:
    """A device that was absent at a source is there again."""

    TYPE: ClassVar[str] = "device.returned@1"
    SUBJECT: ClassVar[str] = "device"

    source: str
    """The source."""
    source_id: str
    """The vendor's id."""


@frozen(kw_only=True)
class DeviceCheckedOut:
    """A device went into somebody's hands."""

    TYPE: ClassVar[str] = "device.checked_out@1"
    SUBJECT: ClassVar[str] = "device"

    custody_id: str
    """The custody that began."""
    kind: CustodyKind
    """Assignment or loan."""
    accountable_kind: HolderKind
    """What answers for it."""
    accountable_id: str
    """Who answers for it."""
    holder_kind: HolderKind
    """What has it in hand."""
    holder_id: str
    """Who has it in hand."""
    due_on: date | None = None
    """When it is to come back."""
    overridden: tuple[str, ...] = ()
    """Rules that were overridden, with the stamp's reason."""


@frozen(kw_only=True)
class DeviceCheckedIn:
    """A device came back."""

    TYPE: ClassVar[str] = "device.checked_in@1"
    SUBJECT: ClassVar[str] = "device"

    custody_id: str
    """The custody that ended."""
    lifecycle: Lifecycle
    """Where the device stands now."""
    condition: Condition
    """The condition in which it came back."""


@frozen(kw_only=True)
class DeviceTransferred:
    """A device went from one accountable party to another without coming back between."""

    TYPE: ClassVar[str] = "device.transferred@1"
    SUBJECT: ClassVar[str] = "device"

    ended_custody_id: str
    """The custody that ended."""
    custody_id: str
    """The custody that began."""
    accountable_kind: HolderKind
    """What answers for it now."""
    accountable_id: str
    """Who answers for it now."""
    overridden: tuple[str, ...] = ()
    """Rules that were overridden, with the stamp's reason."""


@frozen(kw_only=True)
class FundingRecorded:
    """Funding shares of a device were recorded or ended."""

    TYPE: ClassVar[str] = "device.funding_recorded@1"
    SUBJECT: ClassVar[str] = "device"

    starts_on: date
    """The day from which the shares hold."""


@frozen(kw_only=True)
class PersonRegistered:
    """A person entered the district's records."""

    TYPE: ClassVar[str] = "person.registered@1"
    SUBJECT: ClassVar[str] = "person"

    source: str | None = None
    """The roster or file that they came from."""


@frozen(kw_only=True)
class PersonChanged:
    """Fields of a person changed; personal ones are named without their value."""

    TYPE: ClassVar[str] = "person.changed@1"
    SUBJECT: ClassVar[str] = "person"

    fields: tuple[str, ...]
    """Names of the fields."""
    source: str | None = None
    """The roster or file that said so."""


@frozen(kw_only=True)
class PersonLeft:
    """A person is no longer enrolled or employed."""

    TYPE: ClassVar[str] = "person.left@1"
    SUBJECT: ClassVar[str] = "person"

    source: str | None = None
    """The roster or file that said so."""
    left_on: date | None = None
    """The day, when known."""


@frozen(kw_only=True)
class GuardianLinked:
    """A guardian of a student was recorded."""

    TYPE: ClassVar[str] = "person.guardian_linked@1"
    SUBJECT: ClassVar[str] = "person"

    guardian_id: str
    """The guardian."""


@frozen(kw_only=True)
class HoldPlaced:
    """A hold was placed on a person."""

    TYPE: ClassVar[str] = "person.hold_placed@1"
    SUBJECT: ClassVar[str] = "person"

    hold_id: str
    """The hold."""
    kind: str
    """Its code."""


@frozen(kw_only=True)
class HoldReleased:
    """A hold on a person was lifted."""

    TYPE: ClassVar[str] = "person.hold_released@1"
    SUBJECT: ClassVar[str] = "person"

    hold_id: str
    """The hold."""


@frozen(kw_only=True)
class WebhookAdded:
    """Another system is told of events from now on."""

    TYPE: ClassVar[str] = "webhook.added@1"
    SUBJECT: ClassVar[str] = "webhook"


@frozen(kw_only=True)
class WebhookChanged:
    """Where a webhook leads, what it is told, or its secrets were changed; or it was enabled."""

    TYPE: ClassVar[str] = "webhook.changed@1"
    SUBJECT: ClassVar[str] = "webhook"

    fields: tuple[str, ...]
    """Names of the fields."""


@frozen(kw_only=True)
class WebhookDisabled:
    """A webhook is no longer told of events."""

    TYPE: ClassVar[str] = "webhook.disabled@1"
    SUBJECT: ClassVar[str] = "webhook"

    because: str
    """``gone`` when the receiver said so, ``failing`` after days without success, or a code."""


@frozen(kw_only=True)
class PersonErased:
    """What names a person was removed; the id stays as a pseudonym."""

    TYPE: ClassVar[str] = "person.erased@1"
    SUBJECT: ClassVar[str] = "person"

    kept_for: tuple[str, ...] = ()
    """Programmes that demand the name, for which it was sealed."""


@frozen(kw_only=True)
class PersonIdentityResealed:
    """The sealed name of an erased person was sealed anew with another key."""

    TYPE: ClassVar[str] = "person.identity_resealed@1"
    SUBJECT: ClassVar[str] = "person"

    programme: str
    """The programme that demands it."""
    key_id: str
    """The key that opens it from now on."""


@frozen(kw_only=True)
class PersonIdentityDestroyed:
    """The sealed name of an erased person was destroyed, since no programme demands it any more."""

    TYPE: ClassVar[str] = "person.identity_destroyed@1"
    SUBJECT: ClassVar[str] = "person"

    programme: str
    """The programme that had demanded it."""


EVENT_TYPES: Mapping[str, type[Event]] = MappingProxyType(
    {
        cls.TYPE: cls
        for cls in (
            DistrictCreated,
            PolicyAdopted,
            PlaceChanged,
            CalendarSet,
            CustomFieldDeclared,
            DeviceModelChanged,
            DeviceRegistered,
            DeviceEdited,
            DeviceLinked,
            DeviceObserved,
            DeviceAbsent,
            DeviceReturned,
            DeviceCheckedOut,
            DeviceCheckedIn,
            DeviceTransferred,
            FundingRecorded,
            PersonRegistered,
            PersonChanged,
            PersonLeft,
            PersonErased,
            PersonIdentityResealed,
            PersonIdentityDestroyed,
            GuardianLinked,
            HoldPlaced,
            HoldReleased,
            WebhookAdded,
            WebhookChanged,
            WebhookDisabled,
        )
    }
)
"""Every event type that this version writes or reads."""
