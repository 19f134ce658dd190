"""The Directory API's reads, as values: what is asked, and how an answer becomes a page.

Reference: the discovery document ``admin:directory_v1``. Two habits of Google shape this file. A
mask (``fields``) that leaves out ``nextPageToken`` ends a listing after its first page without a
word, and an empty page has no list at all.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from attrs import frozen

from assetflow.connectors.google.mapping import DeviceMapper, PersonMapper, observe_org_unit
from assetflow.connectors.google.pages import Decoded, Shape
from assetflow.connectors.google.payloads import DEVICES, ORG_UNITS, USERS, Count
from assetflow.errors import InvalidValue, PayloadError
from assetflow.model import ObservedDevice, ObservedOrgUnit, ObservedPerson
from assetflow.wire import Call, Listing, Page

__all__ = [
    "DEVICE_FIELDS",
    "DEVICE_PAGE",
    "LISTING_AGE",
    "ORG_UNIT_FIELDS",
    "USER_FIELDS",
    "USER_LISTING_AGE",
    "USER_PAGE",
    "Directory",
    "in_org_unit",
    "matching_serial",
    "parse_chromebook",
    "parse_count",
]

T = TypeVar("T")
ExactT = TypeVar("ExactT", bound=msgspec.Struct)
OddT = TypeVar("OddT", bound=msgspec.Struct)
logger: logging.Logger = logging.getLogger("assetflow.connectors.google")

DEVICE_PAGE = 300
"""Devices on a page: the cap of the reference. Some tenants allow 200; `classify` falls back."""
USER_PAGE = 500
"""Users on a page: the cap of the schema."""
LISTING_AGE = 55 * 60.0
"""Seconds after which a listing of devices is given up: Google ends it at 60 minutes, with an
error that looks like a passing one."""
USER_LISTING_AGE = 3 * 86_400 - 3_600.0
"""Seconds after which a listing of users is given up: its tokens are good for three days."""

_DEVICE_READ = (
    "deviceId,serialNumber,status,model,orgUnitId,orgUnitPath,annotatedAssetId,annotatedUser,"
    "annotatedLocation,notes,lastSync,lastEnrollmentTime,osVersion,autoUpdateThrough,"
    "autoUpdateExpiration,extendedSupportEligible,extendedSupportStart,extendedSupportEnabled,"
    "macAddress,systemRamTotal,diskSpaceUsage(capacityBytes,usedBytes),recentUsers(type,email)"
)
# Not mapped, but wanted again and again: they stay in the raw record. The long lists of
# measurements (cpuStatusReports, activeTimeRanges, ...) do not, they triple the page.
_DEVICE_KEPT = (
    "firstEnrollmentTime,lastDeprovisionTimestamp,deprovisionReason,manufactureDate,"
    "supportEndDate,orderNumber,deviceLicenseType,chromeOsType,osVersionCompliance,"
    "platformVersion,firmwareVersion,bootMode,ethernetMacAddress,meid,willAutoRenew"
)
DEVICE_FIELDS = f"{_DEVICE_READ},{_DEVICE_KEPT}"
"""What is asked of a device."""
USER_FIELDS = (
    "id,primaryEmail,name(givenName,familyName),suspended,suspensionReason,archived,deletionTime,"
    "orgUnitPath,externalIds"
)
"""What is asked of a user."""
ORG_UNIT_FIELDS = "orgUnitId,orgUnitPath,name,parentOrgUnitId"
"""What is asked of an org unit."""

_UNREAD_EVERY = 20


def in_org_unit(org_unit: str) -> str:
    """How a call names an org unit: by path, or by id with the prefix that tells it from a path.

    Args:
        org_unit: A path such as ``/Students/LHS``, or an id with or without ``id:``.
    """
    if org_unit.startswith(("/", "id:")):
        return org_unit
    if not org_unit.strip():
        raise InvalidValue("an org unit is named by its path or its id, not by an empty text")
    return f"id:{org_unit}"


def matching_serial(serial: str) -> str:
    """The query that finds a serial number.

    ``id:`` finds every serial that holds the text, so what comes back must be compared.

    Raises:
        InvalidValue: Fewer than three characters, which Google refuses to look for, or
            characters that would end the quotation.
    """
    wanted = serial.strip()
    if len(wanted) < 3:
        raise InvalidValue("Google looks up serial numbers of three characters and more only")
    if any(char in '"\\' or not char.isprintable() for char in wanted):
        raise InvalidValue("a serial number has no quotation marks or control characters")
    return f"id:{wanted}" if wanted.isalnum() else f'id:"{wanted}"'


@frozen
class Directory:
    """The reads of one Google customer."""

    customer: str
    """``my_customer`` or the customer's id."""
    devices: DeviceMapper
    """Turns devices into observed ones."""
    page_size: int = DEVICE_PAGE
    """Devices on a page."""

    @property
    def _base(self) -> str:
        return f"admin/directory/v1/customer/{quote(self.customer, safe='')}"

    def chromebooks(
        self,
        *,
        org_unit: str | None = None,
        below: bool = True,
        query: str | None = None,
        page_size: int | None = None,
    ) -> Listing[ObservedDevice]:
        """All Chromebooks, or those of an org unit.

        No order is asked for: ordering by what changes while pages are read has given doubles
        and holes.

        Args:
            org_unit: Path or id of an org unit.
            below: Whether those of the org units below it count too.
            query: Google's query language, such as ``status:provisioned``.
            page_size: Devices on a page.
        """
        params = {
            "projection": "FULL",
            "maxResults": str(page_size or self.page_size),
            "fields": f"nextPageToken,chromeosdevices({DEVICE_FIELDS})",
            "prettyPrint": "false",
            **_within(org_unit, below=below),
        }
        if query:
            params["query"] = query
        return Listing(
            first=self._get(f"{self._base}/devices/chromeos", "list-chromebooks", params),
            parse=self.parse_chromebooks,
            max_age=LISTING_AGE,
        )

    def chromebook(self, device_id: str) -> Call:
        """One Chromebook by its device id."""
        return self._get(
            f"{self._base}/devices/chromeos/{quote(device_id, safe='')}",
            "get-chromebook",
            {"projection": "FULL", "fields": DEVICE_FIELDS, "prettyPrint": "false"},
        )

    def count(
        self, *, org_unit: str | None = None, below: bool = True, query: str | None = None
    ) -> Call:
        """How many Chromebooks there are, or are in an org unit."""
        params = {"prettyPrint": "false", **_within(org_unit, below=below)}
        if query:
            params["filter"] = query
        path = f"{self._base}/devices/chromeos:countChromeOsDevices"
        return self._get(path, "count-chromebooks", params)

    def users(
        self, people: PersonMapper, *, domain: str | None = None, query: str | None = None
    ) -> Listing[ObservedPerson]:
        """All users of the customer, or of one domain.

        Args:
            people: Turns users into observed people.
            domain: One of the customer's domains.
            query: Google's query language, such as ``isSuspended=false``.
        """
        params = {
            **({"domain": domain} if domain else {"customer": self.customer}),
            "projection": "full",
            "maxResults": str(USER_PAGE),
            "fields": f"nextPageToken,users({USER_FIELDS})",
            "prettyPrint": "false",
        }
        if query:
            params["query"] = query

        def parse(call: Call, body: bytes) -> Page[ObservedPerson]:
            page = _decode(USERS, call, body)
            read = page.odd if page.exact is None else page.exact
            return _page(call, page, [people.observe(user) for user in read])

        return Listing(
            first=self._get("admin/directory/v1/users", "list-users", params),
            parse=parse,
            max_age=USER_LISTING_AGE,
        )

    def org_units(self) -> Listing[ObservedOrgUnit]:
        """The whole tree of org units, the root included. Google gives it in one answer."""
        params = {
            "type": "allIncludingParent",
            "fields": f"organizationUnits({ORG_UNIT_FIELDS})",
            "prettyPrint": "false",
        }
        return Listing(
            first=self._get(f"{self._base}/orgunits", "list-org-units", params),
            parse=self.parse_org_units,
        )

    # --- answers --------------------------------------------------------------------------

    def parse_chromebooks(self, call: Call, body: bytes) -> Page[ObservedDevice]:
        """Turn one answer into devices and the call that fetches the next page."""
        page = _decode(DEVICES, call, body)
        if page.exact is not None:
            return _page(call, page, self.devices.observe_all(page.exact))
        return _page(call, page, [self.devices.observe(device) for device in page.odd])

    def parse_org_units(self, call: Call, body: bytes) -> Page[ObservedOrgUnit]:
        """Turn the answer into org units."""
        page = _decode(ORG_UNITS, call, body)
        read = page.odd if page.exact is None else page.exact
        return _page(call, page, [observe_org_unit(unit) for unit in read])

    def _get(self, path: str, operation: str, params: dict[str, str]) -> Call:
        return Call(method="GET", path=path, operation=operation, params=tuple(params.items()))


def parse_count(body: bytes) -> int:
    """How many there are. An answer without the number says none: Google leaves out a zero.

    Raises:
        PayloadError: The answer is not a count.
    """
    try:
        answer = msgspec.json.decode(body, type=Count, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = None
    found = None if answer is None or answer.error is not msgspec.UNSET else answer.count or 0
    if found is None or found < 0:
        raise PayloadError("the answer is not a count", problems=("count",))
    return found


def parse_chromebook(devices: DeviceMapper, body: bytes) -> ObservedDevice:
    """One device by itself.

    Raises:
        PayloadError: The answer is not a device.
    """
    page = DEVICES.decode(b'{"chromeosdevices":[%b]}' % body)
    found = [devices.observe(device) for device in page.exact or page.odd]
    if not found:
        named = tuple(f"{problem.path}: {problem.message}" for problem in page.problems)
        raise PayloadError("the answer is not a device", problems=named)
    return found[0]


def _within(org_unit: str | None, *, below: bool) -> dict[str, str]:
    if org_unit is None:
        return {}
    return {
        "orgUnitPath": in_org_unit(org_unit),
        "includeChildOrgunits": "true" if below else "false",
    }


def _decode(shape: Shape[ExactT, OddT], call: Call, body: bytes) -> Decoded[ExactT, OddT]:
    page = shape.decode(body)
    token = call.param("pageToken")
    if token is None or zlib.crc32(token.encode()) % _UNREAD_EVERY == 0:
        unread = shape.unread(body)
        if unread:
            shown = ", ".join(sorted(unread)[:20])
            logger.debug("%s: keys that nobody maps: %s", call.operation, shown)
    return page


def _page(call: Call, page: Decoded[Any, Any], items: Sequence[T]) -> Page[T]:
    following = None
    if page.following is not None:
        following = call.with_params(pageToken=page.following)
    return Page(items=items, following=following, problems=page.problems, raws=page.raws)
