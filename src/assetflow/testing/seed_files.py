"""What tells of the made-up district: an inventory as CSV, a roster as OneRoster zip, a fleet at Google.

The three agree as far as three systems of a real district do. The inventory has the blemishes
that inventories have: rows without any identifier, a tag on two devices, a school that does not
exist, a serial that a spreadsheet made a number of.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from assetflow.testing.seed_values import school_year_begins

if TYPE_CHECKING:
    from assetflow.testing.seed_values import SeededDevice, SeededDistrict, SeededPerson

__all__ = [
    "INVENTORY_REJECTS",
    "google_devices",
    "google_org_units",
    "google_users",
    "inventory_csv",
    "roster_zip",
]

INVENTORY_REJECTS = 9
"""Rows of the inventory that cannot be taken in: one each of five kinds, and two pairs that share
a tag or a serial."""

_HEADINGS = (
    "Asset Tag",
    "Serial #",
    "Manufacturer",
    "Model",
    "School",
    "Room",
    "Status",
    "Condition",
    "Assigned To",
    "Assigned On",
    "Purchase Date",
    "Cost",
    "PO Number",
    "Warranty Ends",
)
_NAMESPACE = UUID("6b9f0d1e-6f0a-5a55-9f0c-0a6a0f1c7d11")


# --- the inventory -----------------------------------------------------------------------------


def inventory_csv(
    made: SeededDistrict, *, delimiter: str = ",", encoding: str = "utf-8-sig"
) -> bytes:
    """The district's inventory, as a spreadsheet saves it.

    Args:
        made: The district.
        delimiter: What stands between cells; a semicolon where the comma is decimal.
        encoding: ``utf-8-sig`` has the byte order mark of "CSV UTF-8".
    """
    rows = [_inventory_row(made, device) for device in made.devices if device.inventoried]
    for place, row in zip(range(40, len(rows), 150), _bad_rows(made, rows), strict=False):
        rows.insert(place, row)
    return _csv(_HEADINGS, rows, delimiter=delimiter).encode(encoding)


def _inventory_row(made: SeededDistrict, device: SeededDevice) -> list[str]:
    site = next(s for s in made.sites if s.code == device.site)
    bought = device.acquired_on
    return [
        device.tag or "",
        device.typed_serial or device.serial,
        device.model.maker,
        device.model.name,
        site.code,
        device.room or "",
        device.status,
        device.condition.capitalize(),
        device.assigned_to or "",
        school_year_begins(made.day).isoformat() if device.assigned_to else "",
        bought.isoformat(),
        f"{device.model.cents // 100}.{device.model.cents % 100:02d}",
        f"PO-{bought.year % 100:02d}{int(device.model.years_old):02d}",
        bought.replace(year=bought.year + 3).isoformat(),
    ]


def _bad_rows(made: SeededDistrict, rows: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """One row for each way in which a row goes wrong."""
    # Google knows both of those that are there twice, so that they are not lost.
    plain = (d for d in made.devices if d.inventoried and d.vendor_id and not d.holder)
    tagged, numbered = next(plain), next(plain)
    patterns: tuple[Mapping[str, str], ...] = (
        {"Asset Tag": "", "Serial #": "NULL"},
        {"Serial #": "5.12E+11"},
        {"Asset Tag": tagged.tag or ""},
        {"Serial #": numbered.serial},
        {"School": "Cedar Midle"},
        {"Purchase Date": "31/02/2024"},
        {"Cost": "ask Dana"},
    )
    for number, changes in enumerate(patterns):
        row = list(rows[20 + number])
        row[0], row[1] = f"MVH-9000{number:02d}", f"5CD0999{number}XY"
        for heading, text in changes.items():
            row[_HEADINGS.index(heading)] = text
        yield row


# --- the roster --------------------------------------------------------------------------------

_ORG_HEADINGS = ("sourcedId status dateLastModified name type identifier parentSourcedId").split()  # noqa: SIM905
_USER_HEADINGS = (  # noqa: SIM905
    "sourcedId status dateLastModified enabledUser orgSourcedIds role username userIds givenName "
    "familyName middleName identifier email sms phone agentSourcedIds grades password"
).split()
_UNUSED_FILES = (  # noqa: SIM905
    "academicSessions categories classes classResources courses courseResources demographics "
    "enrollments lineItems resources results"
).split()


def roster_zip(made: SeededDistrict, *, leavers: bool = True) -> bytes:
    """The roster as a OneRoster 1.1 zip: organisations and users.

    Args:
        made: The district.
        leavers: Whether those who left during the term are gone; ``False`` for August's roster.
    """
    files = {
        "manifest.csv": _csv(("propertyName", "value"), _manifest()),
        "orgs.csv": _csv(_ORG_HEADINGS, _orgs(made), quote=True),
        "users.csv": _csv(_USER_HEADINGS, _users(made, leavers=leavers), quote=True),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            # a fixed time, so that the same district makes the same bytes
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text.encode())
    return buffer.getvalue()


def _manifest() -> Iterator[tuple[str, str]]:
    yield "manifest.version", "1.0"
    yield "oneroster.version", "1.1"
    yield "source.systemName", "Made-up SIS"
    yield "source.systemCode", "made-up-sis"
    for name in ("orgs", "users"):
        yield f"file.{name}", "bulk"
    for name in _UNUSED_FILES:
        yield f"file.{name}", "absent"


def _orgs(made: SeededDistrict) -> Iterator[Sequence[str]]:
    yield "org-district", "", "", made.name, "district", made.id, ""
    for site in made.sites:
        kind = "school" if site.grades else "local"
        yield f"org-{site.code}", "", "", site.name, kind, site.code, "org-district"


def _users(made: SeededDistrict, *, leavers: bool) -> Iterator[Sequence[str]]:
    wards: dict[str, list[str]] = {}
    for person in made.people:
        for number in person.guardians:
            wards.setdefault(number, []).append(person.local_id)
    for person in made.people:
        if leavers and person.left:
            continue
        agents = person.guardians or tuple(wards.get(person.local_id, ()))
        yield (
            _user_id(person.local_id),
            "",
            "",
            "true",
            f"org-{person.site}",
            person.role,
            (person.email or person.local_id).partition("@")[0],
            f"{{SIS:{person.local_id}}}",
            person.given,
            person.family,
            "",
            person.local_id,
            person.email or "",
            "",
            "",
            ",".join(_user_id(agent) for agent in agents),
            person.grade or "",
            "",
        )


def _user_id(number: str) -> str:
    return f"user-{number}"


# --- Google ------------------------------------------------------------------------------------


def google_org_units(made: SeededDistrict) -> list[dict[str, Any]]:
    """The org units as the Directory API gives them, parents first."""
    paths = ["/Students", *(f"/Students/{s.code}" for s in made.sites if s.grades), "/Staff"]
    ids = {"/": _ou_id("/")} | {path: _ou_id(path) for path in paths}
    found = []
    for path in paths:
        parent, _, name = path.rpartition("/")
        found.append(
            {
                "kind": "admin#directory#orgUnit",
                "orgUnitId": f"id:{ids[path]}",
                "orgUnitPath": path,
                "name": name,
                "parentOrgUnitId": f"id:{ids[parent or '/']}",
                "parentOrgUnitPath": parent or "/",
            }
        )
    return found


def _ou_id(path: str) -> str:
    return "03ph8a2z" + uuid5(_NAMESPACE, path).hex[:8]


def google_devices(made: SeededDistrict) -> list[dict[str, Any]]:
    """The Chromebooks as the Directory API gives them."""
    rng = Random(made.seed + 1)
    emails = {p.local_id: p.email for p in made.people}
    return [
        _chromebook(made, device, emails.get(device.holder or ""), rng)
        for device in made.devices
        if device.vendor_id is not None
    ]


def _chromebook(
    made: SeededDistrict, device: SeededDevice, email: str | None, rng: Random
) -> dict[str, Any]:
    code = device.vendor_site or device.site
    path = "/Staff" if code == "OPS" else f"/Students/{code}"
    days = 130 + rng.randrange(90) if rng.random() < 0.03 else rng.randrange(5)
    record: dict[str, Any] = {
        "kind": "admin#directory#chromeosdevice",
        "deviceId": device.vendor_id,
        "serialNumber": device.serial,
        "status": device.vendor_status,
        "model": device.model.name,
        "orgUnitId": _ou_id(path),
        "orgUnitPath": path,
        "lastSync": _instant(made.day - timedelta(days=days), rng),
        "lastEnrollmentTime": _instant(device.acquired_on + timedelta(days=20), rng),
        "macAddress": f"{rng.getrandbits(48):012x}",
        "osVersion": f"1{40 - min(days // 10, 9)}.0.{rng.randrange(7000, 7100)}.{rng.randrange(60, 99)}",
        "bootMode": "Verified",
        "systemRamTotal": str(4 << 30),
    }
    record |= _updates(made, device)
    tag = device.vendor_tag or device.tag
    if tag is not None:
        record["annotatedAssetId"] = tag
    if device.room is not None:
        record["annotatedLocation"] = device.room
    if email is not None:
        record["annotatedUser"] = email
        record["recentUsers"] = [{"type": "USER_TYPE_MANAGED", "email": email}]
    return record


def _updates(made: SeededDistrict, device: SeededDevice) -> dict[str, Any]:
    """Auto-update expiration in both spellings that Google has."""
    model = device.model
    if model.updates_end is None:
        return {}
    last = made.day.year if made.day.month >= 7 else made.day.year - 1
    ends = date(last + model.updates_end, 6, 30)
    ms = int(datetime.combine(ends, time(), UTC).timestamp() * 1000)
    record: dict[str, Any] = {
        "autoUpdateExpiration": str(ms),
        "autoUpdateThrough": ends.isoformat(),
        "extendedSupportEligible": model.extended is not None,
    }
    if model.extended is not None:
        record["extendedSupportStart"] = ends.isoformat()
        record["extendedSupportEnabled"] = False
    return record


def _instant(day: date, rng: Random) -> str:
    minute = rng.randrange(7 * 60, 16 * 60)
    return f"{day.isoformat()}T{minute // 60:02d}:{minute % 60:02d}:00.000Z"


def google_users(made: SeededDistrict) -> list[dict[str, Any]]:
    """Students and staff as the Directory API gives them."""
    return [_google_user(person) for person in made.people if person.email is not None]


def _google_user(person: SeededPerson) -> dict[str, Any]:
    student = person.role == "student"
    return {
        "kind": "admin#directory#user",
        "id": str(uuid5(_NAMESPACE, person.local_id).int % 10**21),
        "primaryEmail": person.email,
        "name": {
            "givenName": person.given,
            "familyName": person.family,
            "fullName": f"{person.given} {person.family}",
        },
        "suspended": person.left,
        "orgUnitPath": f"/Students/{person.site}" if student else "/Staff",
        "externalIds": [{"value": person.local_id, "type": "organization"}],
    }


# --- writing -----------------------------------------------------------------------------------


def _csv(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    delimiter: str = ",",
    quote: bool = False,
) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer,
        delimiter=delimiter,
        lineterminator="\r\n",
        quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL,
    )
    writer.writerow(headings)
    writer.writerows(rows)
    return buffer.getvalue()
