"""A district in memory, and a fleet at a source that answers from memory."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from assetflow.exchange.pull import pull_devices
from assetflow.exchange.report import PullReport
from assetflow.model import (
    ActorId,
    BatchId,
    Device,
    DistrictId,
    DistrictPolicy,
    Management,
    ObservedDevice,
    Query,
    uuid7,
)
from assetflow.store.memory import MemoryStore
from assetflow.testing.canned import CannedConnector
from assetflow.workflows.acting import Act

LINCOLN = DistrictId("lincoln")


class Bench:
    """A store and a clock, with the acts and pulls of one district."""

    def __init__(self, store) -> None:
        self.store = store
        self.now = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
        self.numbers = itertools.count(1)
        self.policy = DistrictPolicy()

    def new_id(self) -> str:
        return uuid7(self.now, next(self.numbers).to_bytes(10, "big"))

    def acting(self, batch_id: BatchId) -> Act:
        self.now += timedelta(milliseconds=1)
        return Act(
            actor_id=ActorId("actor"),
            at=self.now,
            new_id=self.new_id,
            policy=self.policy,
            batch_id=batch_id,
        )

    def pull(self, connector, **options) -> PullReport:
        return pull_devices(
            self.store, LINCOLN, connector, acting=self.acting, **{"workers": 1, **options}
        )

    def all(self, kind, where=None):
        with self.store.read(LINCOLN) as tx:
            return list(tx.find(Query(kind=kind, where=where)))

    def events(self) -> list[str]:
        with self.store.read(LINCOLN) as tx:
            return [e.type for e in tx.journal()]

    def device(self, serial: str) -> Device:
        return next(d for d in self.all(Device) if d.serial == serial)


@pytest.fixture(params=["memory", "sqlite"])
def bench(request, tmp_path) -> Iterator[Bench]:
    if request.param == "memory":
        store = MemoryStore()
    else:
        from assetflow.store.sql import SqlStore

        store = SqlStore.open(f"sqlite:///{tmp_path / 'lincoln.db'}")
    yield Bench(store)
    store.close()


def chromebook(number: int, **changes) -> ObservedDevice:
    device = ObservedDevice(
        f"vendor-{number:06d}",
        serial=f"5CD{number:07d}",
        asset_tag=f"LHS-{number:06d}",
        model="HP Chromebook 11 G9 EE",
        status="ACTIVE",
        management=Management.MANAGED,
        org_unit_id="ou-students",
        org_unit_path="/Students",
        assigned_to=f"s{number}@maple-valley.example",
        last_seen_at="2026-11-23T15:00:00.000000Z",
    )
    return evolve(device, **changes)


def fleet(count: int, *, units: int = 2) -> dict[str, list[ObservedDevice]]:
    found: dict[str, list[ObservedDevice]] = {f"ou-{u}": [] for u in range(units)}
    for number in range(count):
        found[f"ou-{number % units}"].append(chromebook(number))
    return found


@pytest.fixture
def source() -> Callable[..., CannedConnector]:
    def make(devices, **options) -> CannedConnector:
        return CannedConnector(devices, **{"page_size": 10, **options})

    return make
