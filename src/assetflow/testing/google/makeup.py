"""Makes up Chromebooks, users and org units: the same for the same seed, one at a time.

A record is made when it is asked for, so a fleet of 100,000 costs little until it is read.
Nobody and nothing in it is real; the texts are shaped as Google's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any

__all__ = ["SITES", "Makeup", "Site"]

Site = tuple[str, str, tuple[str, ...]]
"""Code, name, and the grades taught there."""

SITES: tuple[Site, ...] = (
    ("LHS", "Lincoln High School", ("09", "10", "11", "12")),
    ("WHS", "Westbrook High School", ("09", "10", "11", "12")),
    ("LMS", "Lincoln Middle School", ("06", "07", "08")),
    ("EMS", "Eastfield Middle School", ("06", "07", "08")),
    ("ADE", "Adler Elementary School", ("KG", "01", "02", "03", "04", "05")),
    ("BIE", "Birch Elementary School", ("KG", "01", "02", "03", "04", "05")),
)
"""The sites of a made-up district."""

# Name, AUE, whether the last years need an opt-in and from when, firmware, bytes of memory and
# disk. The makers do not exist, nor do the dates bind any real model.
_MODELS = (
    ("Kestrel Chromebook 11 G9 EE", "2031-06-30", None, "Dedede", 4, 32),
    ("Norden 300e Chromebook 3rd Gen", "2031-06-30", None, "Grunt", 4, 32),
    ("Alder Chromebook Spin 511 R753", "2032-06-30", None, "Nissa", 8, 64),
    ("Birch Chromebook CR1100CKA", "2030-06-30", None, "Dedede", 4, 32),
    ("Kestrel Chromebook 11 G7 EE", "2029-06-30", "2025-06-30", "Octopus", 4, 16),
    ("Norden 100e Chromebook 2nd Gen", "2028-06-30", "2026-06-30", "Grunt", 4, 32),
)
_GIVEN = "Ada Bela Cleo Dara Esme Finn Gita Hugo Iris Jory Kaia Liam Mina Noor Otis Pia".split()  # noqa: SIM905
_FAMILY = (  # noqa: SIM905
    "Ashgrove Birchall Cedarholm Dovemoor Elderfield Fernwood Gorseley Hazelrigg Ivybridge "
    "Juniperton Kingcup Larkspur Mossgarden Nettleford Oakhanger Pinecastle"
).split()
_VERSIONS = ("142.0.7444.181", "142.0.7444.162", "141.0.7390.115", "138.0.7204.292")
_PLATFORM = "({}.0.0 (Official Build) stable-channel {}"
_GB = 1024**3


@cache
def unit_id(path: str) -> str:
    """An org unit's id, without the ``id:`` that only org units put before it."""
    return f"03ph8a2z{int.from_bytes(blake2b(path.lower().encode(), digest_size=5).digest()):010x}"


def unit(path: str) -> dict[str, Any]:
    """An org unit."""
    parent, _, name = path.rpartition("/")
    made = {
        "kind": "admin#directory#orgUnit",
        "etag": f'"{unit_id(path)[-6:]}"',
        "name": name or "Lincoln School District",
        "description": name or "Lincoln School District",
        "orgUnitPath": path,
        "orgUnitId": f"id:{unit_id(path)}",
        "blockInheritance": False,
    }
    if path != "/":
        made["parentOrgUnitPath"] = parent or "/"
        made["parentOrgUnitId"] = f"id:{unit_id(parent or '/')}"
    return made


class Makeup:
    """One made-up district.

    Args:
        seed: Another seed, another district.
        devices: How many Chromebooks.
        users: How many accounts.
        sites: Its sites.
        domain: Its domain.
        now: The time that the last contacts lead up to.
    """

    def __init__(
        self,
        *,
        seed: int,
        devices: int,
        users: int,
        sites: Sequence[Site],
        domain: str,
        now: datetime,
    ) -> None:
        self._seed = seed
        self._domain = domain
        self._now = now
        self._days: dict[int, str] = {}
        self._addresses: dict[int, str] = {}
        self.count = devices
        self.user_count = users
        self._grades = [(code, grade) for code, _, grades in sites for grade in grades]
        self.paths: list[str] = list(self._paths(sites))

    def _paths(self, sites: Sequence[Site]) -> Any:
        yield from ("/", "/Students")
        for code, _, grades in sites:
            yield f"/Students/{code}"
            yield from (f"/Students/{code}/Grade {grade}" for grade in grades)
        yield "/Staff"
        yield from (f"/Staff/{code}" for code, _, _ in sites)
        # Names that callers get wrong: an ampersand, a plus, a percent sign, an empty unit.
        yield from ("/Loaners", "/Loaners/A&B + 10%", "/Retired", "/Kiosks")

    def _bits(self, kind: str, index: int) -> int:
        key = f"{self._seed}/{kind}/{index}".encode()
        return int.from_bytes(blake2b(key, digest_size=32).digest())

    # --- devices ----------------------------------------------------------------------------

    def device_id(self, index: int) -> str:
        """A device's id: a UUID, as Google's are."""
        return _uuid(self._bits("device", index))

    def path_of(self, index: int) -> str:
        """The org unit in which a device begins."""
        return self._path(index, self._bits("device", index) >> 128)

    def _path(self, index: int, bits: int) -> str:
        part = bits % 100
        if part < 4:
            return "/Retired"
        if part < 8:
            return "/Loaners" if part < 7 else "/Loaners/A&B + 10%"
        code, grade = self._grades[index % len(self._grades)]
        return f"/Staff/{code}" if part < 18 else f"/Students/{code}/Grade {grade}"

    def device(self, index: int) -> dict[str, Any]:
        """A Chromebook as ``projection=FULL`` gives it, without a mask."""
        whole = self._bits("device", index)
        bits = whole >> 128
        path = self._path(index, bits)
        # Small numbers: dividing one of 128 bits again and again would cost the most here.
        low, mid, high = bits & 0x7FFFFFFF, bits >> 31 & 0x7FFFFFFF, bits >> 62 & 0x7FFFFFFF
        name, ends, extended, board, memory, disk = _MODELS[low % 6]
        days = low // 6 % 20
        enrolled = 100 + mid % 900
        status = self._status(path, high)
        version = _VERSIONS[low % 4]
        code = path.split("/")[2] if path.count("/") > 1 else "LHS"
        used = (1 + high % 700) * disk * 1_300_001
        users = self.user_count or 1
        address = self.address
        made: dict[str, Any] = {
            "kind": "admin#directory#chromeosdevice",
            "etag": f'"{low:08x}"',
            "deviceId": _uuid(whole),
            "serialNumber": f"5CD{index:04X}{mid % 46656:05d}",
            "status": status,
            "lastSync": self._ago(days, low),
            "annotatedUser": address(index % users),
            "annotatedLocation": f"{code} Room {high % 240 + 1}",
            "annotatedAssetId": f"{code}-{index:06d}",
            "model": name,
            "osVersion": version,
            "platformVersion": f"16{version[:3]}.181.0 (Official Build) stable-channel {board.lower()}",
            "firmwareVersion": f"Google_{board}.13606.{mid % 900}.0",
            "macAddress": f"a4bb6d{index & 0xFFFFFF:06x}",
            "bootMode": "Verified",
            "lastEnrollmentTime": self._ago(enrolled, mid),
            "firstEnrollmentTime": self._ago(enrolled + high % 400, high),
            "orgUnitPath": path,
            "orgUnitId": unit_id(path),
            "recentUsers": [
                {"type": "USER_TYPE_MANAGED", "email": address((index + 7 * back) % users)}
                for back in range(1 + low % 4)
            ],
            "activeTimeRanges": [
                {"date": self._day(days + back), "activeTime": 3_600_000 + back}
                for back in (2, 1, 0)
            ],
            "systemRamTotal": str(memory * _GB - 181_502_848),
            "diskSpaceUsage": {"capacityBytes": str(disk * _GB), "usedBytes": str(used)},
            "diskVolumeReports": [
                {"volumeInfo": [{"volumeId": "/home/user", "storageTotal": str(disk * _GB), "storageFree": str(disk * _GB - used)}]}
            ],
            "lastKnownNetwork": [{"ipAddress": f"10.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}"}],
            "autoUpdateExpiration": _millis(ends),
            "autoUpdateThrough": ends,
            "extendedSupportEligible": extended is not None,
            "manufactureDate": self._day(enrolled + 200),
            "deviceLicenseType": "education",
            "chromeOsType": "chromeOs",
            "osVersionCompliance": "compliant",
            "willAutoRenew": False,
        }  # fmt: skip
        if extended is not None:
            made["extendedSupportStart"] = extended
            made["extendedSupportEnabled"] = high % 3 == 0
        if low % 11 == 0:
            made["notes"] = "Screen replaced"
        if status == "DEPROVISIONED":
            made["deprovisionReason"] = "DEPROVISION_REASON_RETIRING_DEVICE"
            made["lastDeprovisionTimestamp"] = made["lastSync"]
        if status == "PRE_PROVISIONED":
            for name in ("lastSync", "lastEnrollmentTime", "firstEnrollmentTime", "recentUsers"):
                del made[name]
        return made

    def _day(self, back: int) -> str:
        """The day so many days before now."""
        found = self._days.get(back)
        if found is None:
            found = self._days[back] = (self._now - timedelta(days=back)).date().isoformat()
        return found

    def _ago(self, back: int, bits: int) -> str:
        """An instant in the morning so many days before now, as Google writes it."""
        noon = bits % 43_200_000
        second, milli = divmod(noon % 60_000, 1_000)
        return f"{self._day(back)}T{noon // 3_600_000:02d}:{noon // 60_000 % 60:02d}:{second:02d}.{milli:03d}Z"

    def _status(self, path: str, bits: int) -> str:
        if path == "/Retired":
            return "DEPROVISIONED"
        odd = {0: "DISABLED", 1: "DISABLED", 2: "PRE_PROVISIONED", 3: "DELINQUENT"}
        return odd.get(bits % 100, "ACTIVE")

    # --- people -----------------------------------------------------------------------------

    def address(self, index: int) -> str:
        """An account's address. The first is the admin's."""
        if index == 0:
            return f"it@{self._domain}"
        bits = self._bits("user", index)
        return (
            f"{_GIVEN[bits % 16].lower()}.{_FAMILY[(bits >> 4) % 16].lower()}{index}@{self._domain}"
        )

    def user(self, index: int) -> dict[str, Any]:
        """An account as ``projection=full`` gives it."""
        bits = self._bits("user", index)
        given, family = _GIVEN[bits % 16], _FAMILY[(bits >> 4) % 16]
        code, grade = self._grades[index % len(self._grades)]
        staff = index == 0 or index % 10 == 9
        gone = index % 37 == 36
        made: dict[str, Any] = {
            "kind": "admin#directory#user",
            "id": f"1{10**19 + bits % 10**18:020d}",
            "etag": f'"{bits & 0xFFFFFFFF:08x}"',
            "primaryEmail": self.address(index),
            "name": {"givenName": given, "familyName": family, "fullName": f"{given} {family}"},
            "isAdmin": index == 0,
            "isDelegatedAdmin": False,
            "lastLoginTime": self._ago(bits % 30, bits >> 7),
            "creationTime": self._ago(700 + bits % 300, bits >> 9),
            "suspended": gone,
            "archived": index % 97 == 96,
            "externalIds": [{"value": f"{index:06d}", "type": "organization"}],
            "orgUnitPath": f"/Staff/{code}" if staff else f"/Students/{code}/Grade {grade}",
            "customerId": "C03lincoln",
            "isMailboxSetup": True,
            "includeInGlobalAddressList": True,
        }
        if gone:
            made["suspensionReason"] = "ADMIN"
        return made


def _uuid(bits: int) -> str:
    """A random UUID (RFC 9562, version 4) of given bits."""
    value = bits & ((1 << 128) - 1) & ~(0xF << 76) | (4 << 76)
    text = f"{value & ~(3 << 62) | (2 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@cache
def _millis(day: str) -> str:
    return str(int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000))
