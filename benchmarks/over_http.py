"""Pulls over HTTP from the fake server, which runs in a process of its own.

Against the plain way to write such a job: Google's own client, which gives dicts, and SQLAlchemy's
ORM, which gets each record merged and commits page by page. Both ask for the same fields and the
same page size. What is compared is the CPU time of this process; the server's is not in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session

from assetflow.connectors import GoogleAdmin
from assetflow.connectors.google.calls import DEVICE_FIELDS
from assetflow.wire import NoAuth
from benchmarks.measure import Line, Missing, Target, compare, micros, timed
from benchmarks.pulls import checked

if TYPE_CHECKING:
    from assetflow.district import District
    from benchmarks.world import World

__all__ = ["client_rows", "shard_rows"]

_WORKERS = 8

_TEXTS = (
    "serialNumber",
    "status",
    "model",
    "orgUnitId",
    "orgUnitPath",
    "annotatedAssetId",
    "annotatedUser",
    "annotatedLocation",
    "notes",
    "lastSync",
    "lastEnrollmentTime",
    "osVersion",
    "autoUpdateThrough",
    "extendedSupportStart",
    "macAddress",
)
_FLAGS = ("extendedSupportEligible", "extendedSupportEnabled")


class Base(DeclarativeBase):
    pass


class Chromebook(Base):
    """A device as a script would keep it: one table, one column for each field that is read."""

    __table__ = sa.Table(
        "chromebook",
        Base.metadata,
        sa.Column("deviceId", sa.String(255), primary_key=True),
        *[sa.Column(name, sa.String(200)) for name in (*_TEXTS, "recentUser")],
        *[sa.Column(name, sa.Boolean) for name in _FLAGS],
        sa.Column("systemRamTotal", sa.BigInteger),
        sa.Column("diskFree", sa.BigInteger),
    )


def _client() -> tuple[Any, Any]:
    """The client's builder, and credentials for it."""
    try:
        from google.auth.credentials import AnonymousCredentials
        from googleapiclient import discovery
    except ModuleNotFoundError:
        raise Missing("google-api-python-client is not installed") from None
    return discovery, AnonymousCredentials()


class Conventional:
    """Google's client and the ORM.

    Args:
        url: The server.
        database: A new SQLite file.
    """

    def __init__(self, url: str, database: str) -> None:
        discovery, anonymous = _client()
        self.service = discovery.build(
            "admin",
            "directory_v1",
            credentials=anonymous,
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": url},
        )
        self.engine = sa.create_engine(f"sqlite:///{database}")
        Base.metadata.create_all(self.engine)

    def pull(self) -> int:
        """Read all pages and merge each record; how many there were."""
        devices, seen = self.service.chromeosdevices(), 0
        request = devices.list(
            customerId="my_customer",
            projection="FULL",
            maxResults=300,
            fields=f"nextPageToken,chromeosdevices({DEVICE_FIELDS})",
            prettyPrint=False,
        )
        with Session(self.engine) as session:
            while request is not None:
                answer = request.execute()
                for found in answer.get("chromeosdevices", ()):
                    session.merge(self.row(found))
                    seen += 1
                session.commit()
                request = devices.list_next(request, answer)
        return seen

    @staticmethod
    def row(found: dict[str, Any]) -> Chromebook:
        get = found.get
        usage = get("diskSpaceUsage")
        made = {name: get(name) for name in (*_TEXTS, *_FLAGS, "deviceId")}
        made["systemRamTotal"] = int(found["systemRamTotal"]) if "systemRamTotal" in found else None
        made["diskFree"] = int(usage["capacityBytes"]) - int(usage["usedBytes"]) if usage else None
        users = [u["email"] for u in found.get("recentUsers", ()) if u.get("email")]
        made["recentUser"] = users[0] if users else None
        return Chromebook(**made)

    def close(self) -> None:
        self.service.close()
        self.engine.dispose()


def _pull(district: District, url: str, count: int, workers: int) -> Callable[[], None]:
    """A pull with a new connector, as each night's is."""

    def run() -> None:
        with GoogleAdmin(NoAuth(), base_url=url) as google:
            report = district.pull(google, workers=workers)
        checked(report, seen=count, created=0, linked=0, changed=0, problems=0)

    return run


def client_rows(world: World) -> Iterator[Line]:
    """An unchanged fleet, against Google's client with the ORM."""
    count = world.scale.http
    name = "pull over HTTP, unchanged"
    try:
        _client()
    except Missing as missing:
        yield Line(name, "", f"client library + ORM: {missing}", skipped=True)
        return
    with world.server(count) as url, world.open(world.pulled("http.db", count)) as district:
        peer = Conventional(url, str(world.folder / "orm.db"))

        def conventional() -> None:
            if peer.pull() != count:
                raise AssertionError("the client did not see the fleet")

        ours = _pull(district, url, count, 4)
        found = compare(lambda _: ours, lambda _: conventional, rounds=min(world.scale.rounds, 2))
        peer.close()
    yield Line(
        name,
        f"{micros(found.took, count)} a device",
        f"client library + ORM upsert {micros(found.peer_took, count)}",
        found.faster,
        Target(15, at_least=True),
    )


def shard_rows(world: World) -> Iterator[Line]:
    """Pages that take a while, read org unit by org unit, against one page after another."""
    count, latency = world.scale.fleet, world.scale.latency_ms
    with (
        world.server(count, latency_ms=latency) as url,
        world.open(world.copy(world.large, "shards.db")) as district,
    ):
        with GoogleAdmin(NoAuth(), base_url=url) as google:
            district.pull(google, workers=_WORKERS)  # what other rows changed is taken back
        sharded, serial = (_pull(district, url, count, n) for n in (_WORKERS, 1))
        before = timed(sharded, time.perf_counter)
        slow = timed(serial, time.perf_counter)
        quick = median([before, timed(sharded, time.perf_counter)])
    yield Line(
        f"pull, {latency} ms a page",
        f"{quick:.1f} s for {count:,}",
        f"page after page {slow:.1f} s",
        slow / quick,
        Target(5, at_least=True),
    )
