"""How all of a kind are read: the listings, and the count that proves them complete.

Devices are read org unit by org unit (``includeChildOrgunits=false``): the parts do not overlap,
together they are everything, and several can be read at once. The customer's count is asked for
at the start and again at the end; a listing that gives fewer is not complete, whatever its last
page says. Each org unit can be counted too, which tells where records were lost; that is one call
after another for each of them, so it is done only when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from assetflow.connectors.google.calls import Directory, parse_count
from assetflow.connectors.google.mapping import PersonMapper
from assetflow.connectors.spec import Shard, ShardPlan
from assetflow.errors import PermissionDenied
from assetflow.model import ObservedDevice, ObservedKind, ObservedOrgUnit, ObservedPerson
from assetflow.wire import Flow, Listing

__all__ = ["list_people", "plan_devices", "plan_org_units", "plan_people", "recount"]


def recount(directory: Directory) -> Flow[int]:
    """How many devices the customer has now."""
    reply = yield directory.count()
    return parse_count(reply.body)


def _units(directory: Directory) -> Flow[Sequence[ObservedOrgUnit]]:
    listing = directory.org_units()
    reply = yield listing.first
    return listing.parse(listing.first, reply.body).items


def plan_devices(directory: Directory, *, count_org_units: bool = False) -> Flow[ShardPlan]:
    """Find out how to read all devices.

    A fleet of two pages, and one whose org units may not be listed, is read in one listing.
    """
    total = yield from recount(directory)
    units: Sequence[ObservedOrgUnit] = ()
    if total > 2 * directory.page_size:
        try:
            units = yield from _units(directory)
        except PermissionDenied:
            units = ()
    shards: list[Shard] = []
    for unit in units:
        expected = None
        if count_org_units:
            reply = yield directory.count(org_unit=unit.source_id, below=False)
            expected = parse_count(reply.body)
            if expected == 0:
                continue
        shards.append(_shard(directory, unit, expected))
    if not units:
        shards = [Shard(key="all", label="/", listing=directory.chromebooks(), expected=total)]
    return ShardPlan(
        kind=ObservedKind.DEVICE,
        shards=tuple(shards),
        expected=total,
        recount=lambda: recount(directory),
        complete_without_count=False,
    )


def _shard(directory: Directory, unit: ObservedOrgUnit, expected: int | None) -> Shard:
    return Shard(
        key=f"ou:{unit.source_id}",
        label=unit.path,
        listing=directory.chromebooks(org_unit=unit.source_id, below=False),
        expected=expected,
    )


def list_people(
    directory: Directory,
    student_units: tuple[str, ...],
    *,
    domain: str | None = None,
    query: str | None = None,
) -> Flow[Listing[ObservedPerson]]:
    """The listing of users, with the org units' ids where those may be listed."""
    try:
        units = yield from _units(directory)
    except PermissionDenied:
        units = ()
    people = PersonMapper(
        student_units=student_units,
        units={unit.path.lower(): unit.source_id for unit in units},
    )
    return directory.users(people, domain=domain, query=query)


def plan_people(directory: Directory, student_units: tuple[str, ...]) -> Flow[ShardPlan]:
    """All users in one listing: Google counts none, and a query may lag by hours."""
    listing = yield from list_people(directory, student_units)
    return ShardPlan(
        kind=ObservedKind.PERSON,
        shards=(Shard(key="users", label="users", listing=listing),),
    )


def plan_org_units(directory: Directory) -> Flow[ShardPlan]:
    """All org units in one answer."""
    yield from ()
    listing: Listing[ObservedOrgUnit] = directory.org_units()
    return ShardPlan(
        kind=ObservedKind.ORG_UNIT,
        shards=(Shard(key="org-units", label="org units", listing=listing),),
    )


def find_device(directory: Directory, serial: str, query: str) -> Flow[list[ObservedDevice]]:
    """The devices with exactly that serial number, letter case aside.

    The query finds every serial that holds the text, so all of its pages are read.
    """
    wanted = serial.strip().upper()
    listing = directory.chromebooks(query=query)
    call = listing.first
    found: list[ObservedDevice] = []
    while True:
        reply = yield call
        page = listing.parse(call, reply.body)
        found += [d for d in page.items if d.serial is not None and d.serial.upper() == wanted]
        if page.following is None:
            return found
        call = page.following
