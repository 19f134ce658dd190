"""Google's records as they arrive: only the fields that are read, under Google's names.

Each kind of record has two classes. The *exact* one has the types of Google's schema (discovery
document ``admin:directory_v1``) and is tried first, for a whole page at once. The *odd* one
takes a number where a text should be and the other way round; it is used when a page does not fit.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assetflow.connectors.google.pages import Shape
from assetflow.connectors.google.values import Odd

__all__ = [
    "DEVICES",
    "ORG_UNITS",
    "USERS",
    "ByteUsage",
    "ChromeOsDevice",
    "Count",
    "OddChromeOsDevice",
    "OddOrgUnit",
    "OddUser",
    "OrgUnit",
    "RecentUser",
    "User",
    "UserName",
]

OddFlag = bool | str | int | float | None


class RecentUser(msgspec.Struct, frozen=True, gc=False):
    """``ChromeOsDevice.recentUsers[]``: the address is there for managed users only."""

    email: str | None = None


class ByteUsage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``ByteUsage``: int64, which Google sends as text."""

    capacity_bytes: int | None = None
    used_bytes: int | None = None


class ChromeOsDevice(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``ChromeOsDevice`` with the types of the schema."""

    device_id: str
    serial_number: str | None = None
    status: str | None = None
    model: str | None = None
    org_unit_id: str | None = None
    org_unit_path: str | None = None
    annotated_asset_id: str | None = None
    annotated_user: str | None = None
    annotated_location: str | None = None
    notes: str | None = None
    last_sync: str | None = None
    last_enrollment_time: str | None = None
    os_version: str | None = None
    auto_update_through: str | None = None
    auto_update_expiration: str | None = None
    extended_support_eligible: bool | None = None
    extended_support_start: str | None = None
    extended_support_enabled: bool | None = None
    mac_address: str | None = None
    system_ram_total: int | None = None
    disk_space_usage: ByteUsage | None = None
    recent_users: list[RecentUser] | None = None


class OddChromeOsDevice(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``ChromeOsDevice`` as an odd answer may have it."""

    device_id: str
    serial_number: Odd = None
    status: Odd = None
    model: Odd = None
    org_unit_id: Odd = None
    org_unit_path: Odd = None
    annotated_asset_id: Odd = None
    annotated_user: Odd = None
    annotated_location: Odd = None
    notes: Odd = None
    last_sync: Odd = None
    last_enrollment_time: Odd = None
    os_version: Odd = None
    auto_update_through: Odd = None
    auto_update_expiration: Odd = None
    extended_support_eligible: OddFlag = None
    extended_support_start: Odd = None
    extended_support_enabled: OddFlag = None
    mac_address: Odd = None
    system_ram_total: Odd = None
    disk_space_usage: Any = None
    recent_users: Any = None


class UserName(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``UserName``."""

    given_name: str | None = None
    family_name: str | None = None


class User(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``User``. What the schema calls ``any`` is a list or one object."""

    id: str
    primary_email: str | None = None
    name: UserName | None = None
    suspended: bool | None = None
    suspension_reason: str | None = None
    archived: bool | None = None
    deletion_time: str | None = None
    org_unit_path: str | None = None
    external_ids: Any = None


class OddUser(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``User`` as an odd answer may have it."""

    id: str
    primary_email: Odd = None
    name: Any = None
    suspended: OddFlag = None
    suspension_reason: Odd = None
    archived: OddFlag = None
    deletion_time: Odd = None
    org_unit_path: Odd = None
    external_ids: Any = None


class OrgUnit(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``OrgUnit``."""

    org_unit_id: str
    org_unit_path: str
    name: str | None = None
    parent_org_unit_id: str | None = None


class OddOrgUnit(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """``OrgUnit`` as an odd answer may have it."""

    org_unit_id: str
    org_unit_path: str
    name: Odd = None
    parent_org_unit_id: Odd = None


class Count(msgspec.Struct, frozen=True, gc=False):
    """``CountChromeOsDevicesResponse``: int64, which Google sends as text."""

    count: int | None = None
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


DEVICES = Shape(
    key="chromeosdevices", id_key="deviceId", exact=ChromeOsDevice, odd=OddChromeOsDevice
)
"""A page of ``chromeosdevices.list``."""
USERS = Shape(key="users", id_key="id", exact=User, odd=OddUser)
"""A page of ``users.list``."""
ORG_UNITS = Shape(key="organizationUnits", id_key="orgUnitId", exact=OrgUnit, odd=OddOrgUnit)
"""The answer of ``orgunits.list``."""
