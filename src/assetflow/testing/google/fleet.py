"""What the fake server knows: a customer's devices, users and org units, and what changed since."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from assetflow.testing.google.makeup import SITES, Makeup, Site, unit, unit_id

__all__ = ["Fleet"]

_NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


class Fleet:
    """A customer of Google's: made up, or given record by record.

    Args:
        devices: How many Chromebooks to make up.
        seed: Another seed, another district.
        users: How many accounts to make up; half as many as devices unless given.
        sites: The made-up district's sites: code, name, grades.
        domain: Its domain.
        customer: Google's id of it.
        now: The time that the last contacts lead up to.

    Example:
        >>> fleet = Fleet(devices=3)
        >>> len(fleet), fleet.device(0)["status"]
        (3, 'ACTIVE')
    """

    def __init__(
        self,
        devices: int = 700,
        *,
        seed: int = 7,
        users: int | None = None,
        sites: Sequence[Site] = SITES,
        domain: str = "lincoln.example",
        customer: str = "C03lincoln",
        now: datetime = _NOW,
    ) -> None:
        count = max(20, devices // 2) if users is None else users
        self._makeup = Makeup(
            seed=seed, devices=devices, users=count, sites=sites, domain=domain, now=now
        )
        self._given_devices: list[dict[str, Any]] | None = None
        self._given_users: list[dict[str, Any]] | None = None
        self._begin(customer, domain, [unit(path) for path in self._makeup.paths])

    @classmethod
    def of(
        cls,
        *,
        devices: Sequence[Mapping[str, Any]] = (),
        users: Sequence[Mapping[str, Any]] = (),
        org_units: Sequence[Mapping[str, Any]] = (),
        domain: str = "lincoln.example",
        customer: str = "C03lincoln",
    ) -> Fleet:
        """A customer whose records are given, under Google's names.

        Args:
            devices: Chromebooks; each has at least a ``deviceId`` and an ``orgUnitPath``.
            users: Accounts; each has at least an ``id`` and a ``primaryEmail``.
            org_units: Org units; the root is added when it is not among them, and so are those
                that only a device's path names.
            domain: The customer's domain.
            customer: Google's id of it.
        """
        fleet = cls(0, users=0, domain=domain, customer=customer)
        fleet._given_devices = [dict(device) for device in devices]
        fleet._given_users = [dict(user) for user in users]
        units = [dict(found) for found in org_units]
        known = {str(found["orgUnitPath"]).lower() for found in units}
        if "/" not in known:
            root = unit("/")
            top = next((u for u in units if u.get("parentOrgUnitPath") == "/"), {})
            root["orgUnitId"] = top.get("parentOrgUnitId", root["orgUnitId"])
            units.insert(0, root)
            known.add("/")
        for device in fleet._given_devices:
            path = str(device.get("orgUnitPath") or "/")
            if path.lower() not in known:
                units.append(unit(path))
                known.add(path.lower())
        fleet._begin(customer, domain, units)
        return fleet

    def _begin(self, customer: str, domain: str, units: list[dict[str, Any]]) -> None:
        self.customer = customer
        self.domain = domain
        self.org_units = units
        self.version: int = 0
        """Grows with each change."""
        self.lock: threading.RLock = threading.RLock()
        self._changes: dict[int, dict[str, Any]] = {}
        self._encoded: dict[str, dict[int, bytes]] = {}
        self._by_path = {str(u["orgUnitPath"]).lower(): _bare(u["orgUnitId"]) for u in units}
        self._by_id = {_bare(u["orgUnitId"]): u for u in units}
        count = len(self)
        if self._given_devices is None:
            self._ids = [self._makeup.device_id(index) for index in range(count)]
            homes = [unit_id(self._makeup.path_of(index)) for index in range(count)]
        else:
            self._ids = [str(device["deviceId"]) for device in self._given_devices]
            homes = [
                self._by_path[str(device.get("orgUnitPath") or "/").lower()]
                for device in self._given_devices
            ]
        self._home = homes
        self._index = {found: index for index, found in enumerate(self._ids)}
        self._members: dict[str, list[int]] = {}
        for index, home in enumerate(homes):
            self._members.setdefault(home, []).append(index)

    def __len__(self) -> int:
        """How many Chromebooks there are."""
        return self._makeup.count if self._given_devices is None else len(self._given_devices)

    @property
    def user_count(self) -> int:
        """How many accounts there are."""
        return self._makeup.user_count if self._given_users is None else len(self._given_users)

    @property
    def admin(self) -> str:
        """The address of an admin, for a service account to act as."""
        return f"it@{self.domain}"

    def device(self, index: int) -> dict[str, Any]:
        """A Chromebook, with what changed since it was made up."""
        if self._given_devices is None:
            made = self._makeup.device(index)
        else:
            made = dict(self._given_devices[index])
        made.update(self._changes.get(index, {}))
        home = self._by_id[self._home[index]]
        made["orgUnitPath"] = home["orgUnitPath"]
        made["orgUnitId"] = _bare(home["orgUnitId"])
        return made

    def user(self, index: int) -> dict[str, Any]:
        """An account."""
        if self._given_users is None:
            return self._makeup.user(index)
        return dict(self._given_users[index])

    def find(self, device_id: str) -> int | None:
        """The index of a device."""
        return self._index.get(device_id)

    def unit(self, name: str) -> dict[str, Any] | None:
        """An org unit by ``id:...``, by its bare id, or by its path in any letter case."""
        bare = _bare(name)
        if bare in self._by_id:
            return self._by_id[bare]
        path = "/" + name.strip("/")
        found = self._by_path.get(path.lower())
        return self._by_id[found] if found is not None else None

    def members(self, found: Mapping[str, Any], *, below: bool) -> Sequence[int]:
        """The devices of an org unit, in the order of the fleet. Not to be changed."""
        if not below:
            return self._members.get(_bare(found["orgUnitId"]), ())
        path = str(found["orgUnitPath"]).lower()
        if path == "/":
            return range(len(self))
        inside = [i for p, i in self._by_path.items() if p == path or p.startswith(f"{path}/")]
        return sorted(index for i in inside for index in self._members.get(i, ()))

    def encoded(self, index: int, mask_text: str, shape: Any) -> bytes:
        """A device as JSON under a mask; kept, since a benchmark asks for it again and again."""
        kept = self._encoded.setdefault(mask_text, {})
        found = kept.get(index)
        if found is None:
            found = kept[index] = msgspec.json.encode(shape(self.device(index)))
        return found

    # --- changes ----------------------------------------------------------------------------

    def change(self, index: int, **fields: Any) -> None:
        """Change fields of a device, given under Google's names. Its org unit is changed by `move`."""
        with self.lock:
            self._changes.setdefault(index, {}).update(fields)
            self._touch(index)

    def move(self, indices: Sequence[int], found: Mapping[str, Any]) -> None:
        """Move devices to an org unit."""
        target = _bare(found["orgUnitId"])
        with self.lock:
            for index in indices:
                home = self._home[index]
                self._members[home] = [i for i in self._members[home] if i != index]
                self._home[index] = target
                self._touch(index)
            self._members[target] = sorted({*self._members.get(target, ()), *indices})

    def _touch(self, index: int) -> None:
        self.version += 1
        for kept in self._encoded.values():
            kept.pop(index, None)


def _bare(name: object) -> str:
    return str(name).removeprefix("id:")
