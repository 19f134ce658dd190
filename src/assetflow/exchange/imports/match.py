"""Which device or person a row is about, and whose tag, serial, number or address it must not take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from assetflow.exchange.imports.plan import Finding
from assetflow.model import DeviceId, PersonId, PersonKind, fold_serial, fold_tag
from assetflow.rules.derived import fold_email

if TYPE_CHECKING:
    from assetflow.exchange.imports.people_index import PeopleIndex
    from assetflow.reconcile import DeviceIndex

__all__ = ["Findings", "MatchedDevice", "MatchedPerson", "match_device", "match_person"]

_WORDS = {"serial": "serial", "asset_tag": "tag"}


class Findings(Exception):
    """Everything that is wrong with a row."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__()
        self.findings: tuple[Finding, ...] = tuple(findings)


@frozen
class MatchedDevice:
    """The answer: a device, or nobody."""

    device_id: DeviceId | None = None
    """The device; ``None`` when the row is about a new one."""
    how: str | None = None
    """The field by which it was found."""
    alike: bool = False
    """Whether the row's serial looks like another that is there. A new device keeps the row's;
    one that was found by its tag keeps its own."""


def match_device(
    index: DeviceIndex,
    values: Mapping[str, Any],
    match_on: Sequence[str],
    headings: Mapping[str, str],
) -> MatchedDevice:
    """Find the device of a row: the first field of *match_on* that answers decides.

    A match is exact, letter case aside, and unique; what the row says of the other identifier
    must not contradict it.

    Args:
        index: The district's devices.
        values: The row.
        match_on: ``serial`` and ``asset_tag``, or one of them.
        headings: Field to heading.

    Raises:
        Findings: several devices answer, or the row contradicts what is there.
    """

    def refuse(code: str, reason: str, name: str, ids: Iterable[str] = ()) -> Findings:
        candidates = tuple(sorted(ids)[:10])
        finding = Finding(
            code=code, reason=reason, column=headings.get(name), candidates=candidates
        )
        return Findings([finding])

    def taken(name: str, ids: Sequence[DeviceId]) -> Findings:
        what = _WORDS[name]
        if all(index.by_id[i].gone for i in ids):
            reason = f"a device that is out of service has that {what}; give this one a {what} of its own"
            return refuse("out-of-service", reason, name, ids)
        return refuse(
            f"{name.replace('_', '-')}-taken", f"another device has that {what}", name, ids
        )

    serial, tag = fold_tag(values.get("serial")), fold_tag(values.get("asset_tag"))
    named: Mapping[str, list[DeviceId]] = {
        "serial": index.by_serial.get(serial, []) if serial else [],
        "asset_tag": index.by_tag.get(tag, []) if tag else [],
    }
    if not any(values.get(name) for name in match_on):
        words = " and no ".join(_WORDS[name] for name in match_on)
        raise refuse("no-key", f"has no {words} to find its device by", match_on[0])
    alike = [
        i
        for i in index.by_alike.get(fold_serial(serial) or "", [])
        if fold_tag(index.by_id[i].serial) != serial
    ]
    for how in match_on:
        live = [i for i in named[how] if not index.by_id[i].gone] or named[how]
        if len(live) > 1:
            raise refuse("ambiguous", "belongs to more than one device", how, live)
        if live:
            break
    else:
        for name, ids in named.items():
            if ids:
                raise taken(name, ids)
        return MatchedDevice(alike=bool(alike))
    (device_id,) = live
    other = "asset_tag" if how == "serial" else "serial"
    strangers = [i for i in named[other] if i != device_id]
    if strangers and device_id not in named[other]:
        if other in match_on and not all(index.by_id[i].gone for i in strangers):
            reason = "the row's serial is one device's and its tag another's"
            raise refuse("contradicts", reason, other, [device_id, *strangers])
        raise taken(other, strangers)
    own = fold_tag(index.by_id[device_id].serial)
    if how == "asset_tag" and "serial" in match_on and own and serial and own != serial:
        if device_id in alike:
            return MatchedDevice(device_id, how, alike=True)
        raise refuse(
            "contradicts", "the device with that tag has another serial", "serial", [device_id]
        )
    return MatchedDevice(device_id, how)


@frozen
class MatchedPerson:
    """The answer: a person, or nobody."""

    person_id: PersonId | None = None
    """The person; ``None`` when the row is about a new one."""
    how: str | None = None
    """The field by which they were found."""


def match_person(
    index: PeopleIndex,
    values: Mapping[str, Any],
    match_on: Sequence[str],
    headings: Mapping[str, str],
    kind: PersonKind | None,
) -> MatchedPerson:
    """Find the person of a row: the first field of *match_on* that answers decides.

    A match is exact and unique within one kind: a student and an employee may have the same
    number, a guardian and an employee the same address.

    Args:
        index: The district's people.
        values: The row.
        match_on: ``local_id`` and ``email``, or one of them.
        headings: Field to heading.
        kind: What the row says that the person is.

    Raises:
        Findings: several people answer, or the row contradicts what is there.
    """

    def refuse(code: str, reason: str, name: str, ids: Iterable[str] = ()) -> Findings:
        candidates = tuple(sorted(ids)[:10])
        finding = Finding(
            code=code, reason=reason, column=headings.get(name), candidates=candidates
        )
        return Findings([finding])

    def of_kind(ids: Iterable[PersonId]) -> list[PersonId]:
        return [i for i in ids if kind is None or index.by_id[i].kind is kind]

    number = values.get("local_id")
    named: Mapping[str, list[PersonId]] = {
        "local_id": index.by_number.get(number or "", []),
        "email": index.by_address.get(fold_email(values.get("email")) or "", []),
    }
    if not any(values.get(name) for name in match_on):
        words = {"local_id": "number", "email": "address"}
        what = " and no ".join(words[name] for name in match_on)
        raise refuse("no-key", f"has no {what} to find its person by", match_on[0])
    for how in match_on:
        ids = of_kind(named[how])
        if len(ids) > 1:
            raise refuse("ambiguous", "belongs to more than one person", how, ids)
        if ids:
            break
    else:
        accounts = [
            i for i in named["email"] if PersonKind.GUARDIAN not in (index.by_id[i].kind, kind)
        ]
        if accounts:
            # A parent may be staff under the same address; an account is one person's.
            reason = "belongs to somebody whom the district knows as something else"
            raise refuse("contradicts", reason, "email", accounts)
        return MatchedPerson()
    (person_id,) = ids
    other = "email" if how == "local_id" else "local_id"
    strangers = [i for i in of_kind(named[other]) if i != person_id]
    if strangers and person_id not in named[other]:
        reason = "the row's number is one person's and its address another's"
        raise refuse("contradicts", reason, other, [person_id, *strangers])
    own = index.by_id[person_id].local_id
    if how == "email" and "local_id" in match_on and own and number and number != own:
        reason = "the person with that address has another number"
        raise refuse("contradicts", reason, "local_id", [person_id])
    return MatchedPerson(person_id, how)
