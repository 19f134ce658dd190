"""What the Directory API accepts: methods, their parameters, and the names in its resources.

Names, enumerations and bounds are those of the discovery document ``admin:directory_v1``
(revision 20261104); ``tests/connectors`` compares them with the document itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

__all__ = ["COMMON", "DEVICE", "METHODS", "ORG_UNIT", "USER", "Method", "Number", "find_method"]

_AUTH = "https://www.googleapis.com/auth/"


@frozen
class Number:
    """A whole number within bounds."""

    low: int
    """The least."""
    high: int
    """The most."""


Kind = str | tuple[str, ...] | Number
"""``text``, ``flag``, the words of an enumeration, or a number's bounds."""

COMMON: Mapping[str, Kind] = {
    "$.xgafv": ("1", "2"),
    "access_token": "text",
    "alt": ("json", "media", "proto"),
    "callback": "text",
    "fields": "text",
    "key": "text",
    "oauth_token": "text",
    "prettyPrint": "flag",
    "quotaUser": "text",
    "uploadType": "text",
    "upload_protocol": "text",
}
"""Parameters that every method takes."""

_DIRECTION = ("ASCENDING", "DESCENDING")
_DETAIL = ("BASIC", "FULL")
_USER_VIEW: Mapping[str, Kind] = {
    "customFieldMask": "text",
    "projection": ("basic", "custom", "full"),
    "viewType": ("admin_view", "domain_public"),
}


@frozen(kw_only=True)
class Method:
    """A method of the API."""

    name: str
    """Its name in the discovery document, after ``directory.``."""
    verb: str
    """HTTP method."""
    path: re.Pattern[str]
    """Its path, with what varies as groups."""
    params: Mapping[str, Kind]
    """Its own query parameters."""
    scopes: tuple[str, ...]
    """Any one of them allows it."""


def _method(name: str, verb: str, path: str, params: Mapping[str, Kind], *scopes: str) -> Method:
    pattern = re.compile("/admin/directory/v1/" + path)
    granted = tuple(_AUTH + scope for scope in scopes)
    return Method(name=name, verb=verb, path=pattern, params=params, scopes=granted)


_CHROME = "admin.directory.device.chromeos"
_UNIT = "admin.directory.orgunit"
_PERSON = "admin.directory.user"
_BASE = r"customer/(?P<customerId>[^/]+)/devices/chromeos"

METHODS = (
    _method(
        "chromeosdevices.list",
        "GET",
        _BASE,
        {
            "includeChildOrgunits": "flag",
            "maxResults": Number(1, 300),
            "orderBy": (
                "annotatedLocation", "annotatedUser", "lastSync", "notes", "serialNumber", "status",
            ),
            "orgUnitPath": "text",
            "pageToken": "text",
            "projection": _DETAIL,
            "query": "text",
            "sortOrder": _DIRECTION,
        },
        _CHROME, f"{_CHROME}.readonly",
    ),
    _method(
        "customer.devices.chromeos.countChromeOsDevices",
        "GET",
        _BASE + ":countChromeOsDevices",
        {"filter": "text", "includeChildOrgunits": "flag", "orgUnitPath": "text"},
        _CHROME, f"{_CHROME}.readonly",
    ),
    _method(
        "chromeosdevices.moveDevicesToOu", "POST", _BASE + "/moveDevicesToOu",
        {"orgUnitPath": "text"}, _CHROME,
    ),
    _method(
        "chromeosdevices.get", "GET", _BASE + r"/(?P<deviceId>[^/:]+)",
        {"projection": _DETAIL}, _CHROME, f"{_CHROME}.readonly",
    ),
    _method(
        "chromeosdevices.patch", "PATCH", _BASE + r"/(?P<deviceId>[^/:]+)",
        {"projection": _DETAIL}, _CHROME,
    ),
    _method(
        "chromeosdevices.update", "PUT", _BASE + r"/(?P<deviceId>[^/:]+)",
        {"projection": _DETAIL}, _CHROME,
    ),
    _method(
        "orgunits.list", "GET", r"customer/(?P<customerId>[^/]+)/orgunits",
        {"orgUnitPath": "text", "type": ("all", "allIncludingParent", "children")},
        _UNIT, f"{_UNIT}.readonly",
    ),
    _method(
        "orgunits.get", "GET", r"customer/(?P<customerId>[^/]+)/orgunits/(?P<orgUnitPath>.+)",
        {}, _UNIT, f"{_UNIT}.readonly",
    ),
    _method(
        "users.list", "GET", "users",
        {
            **_USER_VIEW,
            "customer": "text",
            "domain": "text",
            "event": ("add", "delete", "makeAdmin", "undelete", "update"),
            "maxResults": Number(1, 500),
            "orderBy": ("email", "familyName", "givenName"),
            "pageToken": "text",
            "query": "text",
            "showDeleted": "text",
            "sortOrder": _DIRECTION,
        },
        _PERSON, f"{_PERSON}.readonly", "cloud-platform",
    ),
    _method(
        "users.get", "GET", r"users/(?P<userKey>[^/]+)", _USER_VIEW, _PERSON, f"{_PERSON}.readonly",
    ),
)  # fmt: skip
"""The methods that the fake has, the more particular path first."""


def find_method(verb: str, path: str) -> tuple[Method, Mapping[str, str]] | None:
    """The method of a request, and what varies in its path, still percent-encoded."""
    for method in METHODS:
        found = method.path.fullmatch(path) if method.verb == verb else None
        if found is not None:
            return method, found.groupdict()
    return None


DEVICE = frozenset(
    [
        "activeTimeRanges",
        "annotatedAssetId",
        "annotatedLocation",
        "annotatedUser",
        "autoUpdateExpiration",
        "autoUpdateThrough",
        "backlightInfo",
        "bluetoothAdapterInfo",
        "bootMode",
        "chromeOsType",
        "cpuInfo",
        "cpuStatusReports",
        "deprovisionReason",
        "deviceFiles",
        "deviceId",
        "deviceLicenseType",
        "diskSpaceUsage",
        "diskVolumeReports",
        "dockMacAddress",
        "etag",
        "ethernetMacAddress",
        "ethernetMacAddress0",
        "extendedSupportEligible",
        "extendedSupportEnabled",
        "extendedSupportStart",
        "fanInfo",
        "firmwareVersion",
        "firstEnrollmentTime",
        "kind",
        "lastDeprovisionTimestamp",
        "lastEnrollmentTime",
        "lastKnownNetwork",
        "lastSync",
        "macAddress",
        "manufactureDate",
        "meid",
        "model",
        "notes",
        "orderNumber",
        "orgUnitId",
        "orgUnitPath",
        "osUpdateStatus",
        "osVersion",
        "osVersionCompliance",
        "platformVersion",
        "recentUsers",
        "screenshotFiles",
        "serialNumber",
        "status",
        "supportEndDate",
        "systemRamFreeReports",
        "systemRamTotal",
        "tpmVersionInfo",
        "willAutoRenew",
    ]
)
"""What a device has."""
ORG_UNIT = frozenset(
    [
        "blockInheritance",
        "description",
        "etag",
        "kind",
        "name",
        "orgUnitId",
        "orgUnitPath",
        "parentOrgUnitId",
        "parentOrgUnitPath",
    ]
)
"""What an org unit has."""
USER = frozenset(
    [
        "addresses",
        "agreedToTerms",
        "aliases",
        "archivalTime",
        "archived",
        "changePasswordAtNextLogin",
        "creationTime",
        "customSchemas",
        "customerId",
        "deletionTime",
        "emails",
        "etag",
        "externalIds",
        "gender",
        "guestAccountInfo",
        "hashFunction",
        "id",
        "ims",
        "includeInGlobalAddressList",
        "ipWhitelisted",
        "isAdmin",
        "isDelegatedAdmin",
        "isEnforcedIn2Sv",
        "isEnrolledIn2Sv",
        "isGuestUser",
        "isMailboxSetup",
        "keywords",
        "kind",
        "languages",
        "lastLoginTime",
        "locations",
        "name",
        "nonEditableAliases",
        "notes",
        "orgUnitPath",
        "organizations",
        "password",
        "phones",
        "posixAccounts",
        "primaryEmail",
        "recoveryEmail",
        "recoveryPhone",
        "relations",
        "sshPublicKeys",
        "suspended",
        "suspensionReason",
        "suspensionTime",
        "thumbnailPhotoEtag",
        "thumbnailPhotoUrl",
        "websites",
    ]
)
"""What a user has."""
BASIC_DEVICE = frozenset(
    [
        "annotatedAssetId",
        "annotatedLocation",
        "annotatedUser",
        "deviceId",
        "etag",
        "kind",
        "lastSync",
        "notes",
        "serialNumber",
        "status",
    ]
)
"""What a device has under ``projection=BASIC``, by what GAM's authors found; Google does not say."""
WRITABLE_DEVICE = frozenset(
    ["annotatedAssetId", "annotatedLocation", "annotatedUser", "notes", "orgUnitId", "orgUnitPath"]
)
"""What of a device may be written."""
