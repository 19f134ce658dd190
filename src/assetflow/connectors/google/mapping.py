"""What Google's records mean here: pure functions from payloads to observed values.

Sources: the discovery document ``admin:directory_v1`` (field names and types), the reference of
``chromeosdevices`` (states, auto-update fields), the help page on extended updates. Where Google
leaves a meaning open, the choice is said at the function that makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from attrs import frozen

from assetflow.connectors.google.payloads import (
    ByteUsage,
    ChromeOsDevice,
    OddChromeOsDevice,
    OddOrgUnit,
    OddUser,
    OrgUnit,
    RecentUser,
    User,
    UserName,
)
from assetflow.connectors.google.values import (
    NO_SERIALS,
    Odd,
    day,
    flag,
    instant,
    mac,
    org_unit_id,
    org_unit_path,
    serial,
    text,
    whole,
)
from assetflow.model import (
    ExtendedUpdates,
    Management,
    ObservedDevice,
    ObservedOrgUnit,
    ObservedPerson,
    PersonKind,
    PersonStatus,
)

__all__ = ["MANAGEMENT", "DeviceMapper", "PersonMapper", "observe_org_unit", "updates"]

MANAGEMENT: Mapping[str, Management] = {
    "ACTIVE": Management.MANAGED,
    "DELINQUENT": Management.MANAGED,  # enrolled; its licence has lapsed
    "DISABLED": Management.DISABLED,
    "DEPROVISIONED": Management.DEPROVISIONED,
    "PRE_PROVISIONED": Management.PENDING,  # zero-touch: known, not enrolled yet
    "SHIPPED": Management.PENDING,  # deprecated by Google
}
"""What Google's word for a device's state means; any other word is unknown."""

_MEMO = 20_000
_Updates = tuple[date | None, date | None, ExtendedUpdates]


def updates(
    *, through: Odd, expiration: Odd, eligible: object, start: Odd, enabled: object
) -> _Updates:
    """The end of automatic updates without and with the opt-in, and where the opt-in stands.

    ``autoUpdateThrough`` is the last day that can be reached. ``extendedSupportEligible`` says
    that reaching it needs an admin's opt-in; then ``extendedSupportStart`` is where updates end
    without. ``autoUpdateExpiration`` is the deprecated name of the same, in milliseconds, and is
    read only when the newer field says nothing.

    A day that cannot be told stays unknown. For a device that needs the opt-in, the longer day is
    never given as the one that holds without it.

    Returns:
        The day without the opt-in, the day with it, and the opt-in's state.
    """
    longest = day(through) or day(expiration)
    needs, opted = flag(eligible), flag(enabled)
    begins = day(start)
    if needs is False:
        return longest, None, ExtendedUpdates.NOT_NEEDED
    if needs is None and begins is None:
        return longest, None, ExtendedUpdates.UNKNOWN
    shorter = begins if longest is None or begins is None else min(begins, longest)
    if needs is None:
        return shorter, longest, ExtendedUpdates.UNKNOWN
    state = ExtendedUpdates.OPTED_IN if opted else ExtendedUpdates.AVAILABLE
    return shorter, longest, state


class _Draft(ObservedDevice):
    """An `ObservedDevice` that is being filled in.

    The frozen class sets each field through a function call, which for 22 fields costs more than
    decoding them. This one adds nothing but the right to assign, so that it can be turned into
    the frozen class when it is complete; nobody else ever holds one.
    """

    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__


class DeviceMapper:
    """Turns Chromebooks into observed devices.

    It remembers what the few texts that many devices share (states, org units, expiration days)
    mean, so it belongs to one connector; it is otherwise without state.
    """

    def __init__(self) -> None:
        self._states: dict[str | None, Management] = {}
        self._units: dict[str | None, str | None] = {}
        self._paths: dict[str | None, str | None] = {}
        self._ends: dict[str, date | None] = {}
        self._updates: dict[object, _Updates] = {}

    def observe_all(self, devices: Iterable[ChromeOsDevice]) -> list[ObservedDevice]:
        """What [`observe`][assetflow.connectors.google.mapping.DeviceMapper.observe] makes of each.

        Records of the ordinary kind are built here in one go; whatever is missing, odd or met
        for the first time raises on the way and is left to the thorough function. Of instants
        and hardware addresses only the shape is looked at here, not each digit.
        """
        states, units, paths = self._states, self._units, self._paths
        ends, extended, fillers = self._ends, self._updates, NO_SERIALS
        new, draft, complete = object.__new__, _Draft, ObservedDevice
        not_needed = ExtendedUpdates.NOT_NEEDED
        out: list[ObservedDevice] = []
        add = out.append
        it: Any
        value: Any
        for d in devices:
            try:
                it = new(draft)
                it.source_id = d.device_id
                value = d.serial_number.strip()  # type: ignore[union-attr]  # caught below
                if value in fillers:
                    raise LookupError  # noqa: TRY301 - to the thorough function
                it.serial = value
                value = d.annotated_asset_id
                it.asset_tag = value.strip() or None if value else None
                it.model = d.model or None
                it.manufacturer = None
                it.status = value = d.status
                it.management = states[value]
                it.org_unit_id = units[d.org_unit_id]
                it.org_unit_path = paths[d.org_unit_path]
                value = d.auto_update_through
                if (
                    d.extended_support_start is None
                    and d.extended_support_eligible is False
                    and value is not None
                ):
                    it.auto_update_ends = ends[value]
                    it.auto_update_ends_extended = None
                    it.extended_updates = not_needed
                else:
                    value = extended[_update_key(d)]
                    it.auto_update_ends = value[0]
                    it.auto_update_ends_extended = value[1]
                    it.extended_updates = value[2]
                value = d.last_enrollment_time
                if value is not None:
                    value = value.replace("Z", "000Z")
                    if len(value) != 27 or value[0] != "2":
                        raise LookupError  # noqa: TRY301
                it.enrolled_at = value
                it.location = d.annotated_location or None
                it.assigned_to = d.annotated_user or None
                it.notes = d.notes or None
                value = d.last_sync
                if value is not None:
                    value = value.replace("Z", "000Z")
                    if len(value) != 27 or value[0] != "2":
                        raise LookupError  # noqa: TRY301
                it.last_seen_at = value
                it.os_version = d.os_version or None
                value = d.recent_users
                it.recent_user = (value[0].email or _newest(value)) if value else None
                value = d.mac_address
                if value is not None:
                    if len(value) != 12:
                        raise LookupError  # noqa: TRY301
                    value = value.lower()
                it.mac_address = value
                value = d.disk_space_usage
                if value is not None:
                    used, size = value.used_bytes, value.capacity_bytes
                    value = size - used if 0 <= used <= size and size else None
                it.disk_free_bytes = value
                value = d.system_ram_total
                it.ram_bytes = value if value and value > 0 else None
                it.__class__ = complete
            except (LookupError, TypeError, AttributeError):
                it = self.observe(d)
            add(it)
        return out

    def observe(self, d: ChromeOsDevice | OddChromeOsDevice) -> ObservedDevice:
        """What Google says of one device.

        Unknown words stay as they are in ``status`` and mean nothing in ``management``; the
        newest managed user is the first of ``recentUsers`` that has an address; free space is
        capacity less use, and unknown when either is.
        """
        status = text(d.status)
        ends, ends_extended, state = updates(
            through=d.auto_update_through,
            expiration=d.auto_update_expiration,
            eligible=d.extended_support_eligible,
            start=d.extended_support_start,
            enabled=d.extended_support_enabled,
        )
        observed = ObservedDevice(
            source_id=d.device_id,
            serial=serial(d.serial_number),
            asset_tag=(text(d.annotated_asset_id) or "").strip() or None,
            model=text(d.model),
            manufacturer=None,
            status=status,
            management=MANAGEMENT.get((status or "").upper(), Management.UNKNOWN),
            org_unit_id=org_unit_id(d.org_unit_id),
            org_unit_path=org_unit_path(d.org_unit_path),
            auto_update_ends=ends,
            auto_update_ends_extended=ends_extended,
            extended_updates=state,
            enrolled_at=instant(d.last_enrollment_time),
            location=text(d.annotated_location),
            assigned_to=text(d.annotated_user),
            notes=text(d.notes),
            last_seen_at=instant(d.last_sync),
            os_version=text(d.os_version),
            recent_user=_newest(d.recent_users),
            mac_address=mac(d.mac_address),
            disk_free_bytes=_free(d.disk_space_usage),
            ram_bytes=whole(d.system_ram_total) or None,
        )
        if isinstance(d, ChromeOsDevice):
            self._remember(d, observed)
        return observed

    def _remember(self, d: ChromeOsDevice, observed: ObservedDevice) -> None:
        memos: tuple[dict[Any, Any], ...] = (
            self._states,
            self._units,
            self._paths,
            self._ends,
            self._updates,
        )
        for memo in memos:
            if len(memo) > _MEMO:
                memo.clear()
        if d.status != "":
            self._states[d.status] = observed.management
        self._units[d.org_unit_id] = observed.org_unit_id
        self._paths[d.org_unit_path] = observed.org_unit_path
        self._updates[_update_key(d)] = (
            observed.auto_update_ends,
            observed.auto_update_ends_extended,
            observed.extended_updates,
        )
        ends = day(d.auto_update_through)
        if d.auto_update_through is not None and ends is not None:
            self._ends[d.auto_update_through] = ends


def _update_key(
    d: ChromeOsDevice,
) -> tuple[str | None, str | None, bool | None, str | None, bool | None]:
    return (
        d.auto_update_through,
        d.auto_update_expiration,
        d.extended_support_eligible,
        d.extended_support_start,
        d.extended_support_enabled,
    )


def _newest(users: object) -> str | None:
    """The address of the newest user who has one; Google gives it for managed users only."""
    for user in _each(users):
        email = user.email if isinstance(user, RecentUser) else _in(user, "email")
        if email:
            return email
    return None


def _free(usage: object) -> int | None:
    if isinstance(usage, ByteUsage):
        capacity, used = usage.capacity_bytes, usage.used_bytes
    elif isinstance(usage, dict):
        capacity, used = whole(usage.get("capacityBytes")), whole(usage.get("usedBytes"))
    else:
        return None
    if capacity is None or used is None or not 0 <= used <= capacity or not capacity:
        return None
    return capacity - used


def _each(value: object) -> Sequence[object]:
    """The items of what the schema calls ``any``: a list, or one object by itself."""
    if isinstance(value, list | tuple):
        return value
    return () if value is None else (value,)


def _in(value: object, key: str) -> str | None:
    """A text in an object of which nothing is sure."""
    found = value.get(key) if isinstance(value, dict) else None
    return text(found) if isinstance(found, str | int | float) else None


@frozen(kw_only=True)
class PersonMapper:
    """Turns users into observed people.

    Google does not say whether an account is a student's. The district does, by the org units in
    which it keeps them; every other account counts as staff.
    """

    student_units: tuple[str, ...] = ("/Students",)
    """Paths of the org units whose members are students, with all below them."""
    units: Mapping[str, str] = {}
    """Path in lower case to id of each org unit, where they are known."""

    def observe(self, user: User | OddUser) -> ObservedPerson:
        """What Google says of one account.

        An archived or deleted account is of someone who left, and so is one that an admin
        suspended (``suspensionReason`` ``ADMIN``): that is how districts off-board. An account
        that Google suspended by itself says nothing about the person.
        """
        path = org_unit_path(user.org_unit_path)
        name = user.name
        if isinstance(name, UserName):
            given, family = text(name.given_name), text(name.family_name)
        else:
            given, family = _in(name, "givenName"), _in(name, "familyName")
        return ObservedPerson(
            source_id=user.id,
            kind=PersonKind.STUDENT if self._is_student(path) else PersonKind.STAFF,
            status=_person_status(user),
            local_id=_local_id(user.external_ids),
            given_name=given,
            family_name=family,
            email=text(user.primary_email),
            place_source_id=self.units.get((path or "").lower()),
        )

    def _is_student(self, path: str | None) -> bool:
        """Whether a path lies in a student org unit. Google ignores letter case in paths."""
        if path is None:
            return False
        folded = path.lower()
        roots = (unit.rstrip("/").lower() for unit in self.student_units)
        return any(folded == root or folded.startswith(f"{root}/") for root in roots)


def _person_status(user: User | OddUser) -> PersonStatus:
    if instant(user.deletion_time) or flag(user.archived):
        return PersonStatus.LEFT
    if flag(user.suspended):
        by_admin = (text(user.suspension_reason) or "").upper() == "ADMIN"
        return PersonStatus.LEFT if by_admin else PersonStatus.UNKNOWN
    return PersonStatus.ACTIVE


def _local_id(external_ids: object) -> str | None:
    """The student or staff number: the admin console keeps it as type ``organization``.

    Without one of that type the only id that there is; with several others none, since nothing
    says which is meant.
    """
    found = [(_in(item, "type"), _in(item, "value")) for item in _each(external_ids)]
    filled = [(kind, value.strip()) for kind, value in found if value and value.strip()]
    named = [value for kind, value in filled if kind == "organization"]
    if named:
        return named[0]
    return filled[0][1] if len(filled) == 1 else None


def observe_org_unit(unit: OrgUnit | OddOrgUnit) -> ObservedOrgUnit:
    """What Google says of one org unit; the root's name is the district's."""
    path = org_unit_path(unit.org_unit_path) or "/"
    return ObservedOrgUnit(
        source_id=org_unit_id(unit.org_unit_id) or unit.org_unit_id,
        path=path,
        name=text(unit.name) or path.rpartition("/")[2] or path,
        parent_source_id=org_unit_id(unit.parent_org_unit_id),
    )
