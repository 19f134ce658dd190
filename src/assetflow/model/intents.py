"""What other systems should do: ids and codes, written beside the event that caused them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Protocol

from attrs import frozen

from assetflow.model.ids import DeviceId

__all__ = ["INTENT_TYPES", "Intent", "ShowAssignee"]


class Intent(Protocol):
    """What every intent class has."""

    TYPE: ClassVar[str]
    """``subject.what@version``."""
    SUBJECT: ClassVar[str]
    """The kind of record that it is about."""

    @property
    def subject_id(self) -> str:
        """The id of what it is about; order is kept per subject."""


@frozen(kw_only=True)
class ShowAssignee:
    """The device-management system should show who answers for a device."""

    TYPE: ClassVar[str] = "device.assignee@1"
    SUBJECT: ClassVar[str] = "device"

    device_id: DeviceId
    """The device."""
    accountable_kind: str | None
    """What answers for it; ``None`` when nobody does."""
    accountable_id: str | None
    """Who answers for it, by id: the name is read when the intent is carried out."""

    @property
    def subject_id(self) -> str:
        """The device."""
        return self.device_id


INTENT_TYPES: Mapping[str, type[Intent]] = MappingProxyType({ShowAssignee.TYPE: ShowAssignee})
"""Every intent type that this version writes or reads."""
