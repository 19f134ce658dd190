"""Bulk inserts, against the driver's own ``executemany`` of the same rows.

The same statement into the same table with the same indexes, pragmas and batches, in a fresh file
each time. The peer is given finished rows; the library is given records, and checks and turns each
into its row. CPU time, since both write the same pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.district.session import utc_now
from assetflow.model import ActorId, Device, DeviceLink, DeviceModel, Observation, Query, Stamp
from assetflow.model.events import DeviceModelChanged, DeviceRegistered
from assetflow.store.ports import Durability, Entry, Put
from assetflow.store.schema import kind_of
from benchmarks.measure import Compared, Line, Target, compare, micros
from benchmarks.world import LINCOLN

if TYPE_CHECKING:
    from assetflow.model import Record
    from assetflow.store.sql import SqlStore
    from benchmarks.world import World

__all__ = ["Inserts", "rows"]

_BATCH = 3_000
_BULK = ("synchronous = NORMAL", "wal_autocheckpoint = 16000")

Rows = dict[str, list[tuple[Any, ...]]]
"""Rows by the name of their table, in the order in which the tables are written."""


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), _BATCH):
        yield items[first : first + _BATCH]


class Inserts:
    """Records to insert, and both ways to do it.

    Args:
        world: The stage.
        count: How many.
    """

    def __init__(self, world: World, count: int) -> None:
        self._world = world
        self._closing: list[Any] = []
        with world.open(world.large) as district, district.store.read(LINCOLN) as tx:
            self.observations = list(islice(tx.find(Query(kind=Observation)), count))
            self.devices = list(islice(tx.find(Query(kind=Device)), count // 3))
            links = {link.device_id: link for link in tx.find(Query(kind=DeviceLink))}
            self.links = [links[device.id] for device in self.devices]
            models = list(tx.find(Query(kind=DeviceModel)))
        self.stamp = Stamp(actor_id=ActorId("bench"), recorded_at=utc_now())
        self._models = [
            Entry(
                event=DeviceModelChanged(source="google"),
                subject_id=m.id,
                stamp=self.stamp,
                puts=(Put(m),),
            )
            for m in (evolve(m, version=1) for m in models)
        ]

    def entries(self) -> list[Entry]:
        """Each device with the event that registers it and the link to its source."""
        return [
            Entry(
                event=DeviceRegistered(source="google", source_id=link.source_id),
                subject_id=device.id,
                stamp=self.stamp,
                puts=(Put(evolve(device, version=1)), Put(evolve(link, version=1))),
            )
            for device, link in zip(self.devices, self.links, strict=True)
        ]

    def close(self) -> None:
        """Let go of the file that was written last."""
        while self._closing:
            self._closing.pop().close()

    def _opened(self, name: str) -> SqlStore:
        """A fresh file with the models and nothing else, opened; the one before is closed."""
        self.close()
        store = self._world.store(self._world.copy(self._world.empty, name))
        self._closing.append(store)
        with store.write(LINCOLN) as tx:
            tx.record(self._models)
        return store

    def ours(
        self, write: Callable[[Any, Sequence[Any]], object], items: Sequence[Any]
    ) -> Callable[[int], Callable[[], None]]:
        """Through the store's port, batch by batch."""

        def ready(_number: int) -> Callable[[], None]:
            store = self._opened("ours.db")

            def run() -> None:
                for batch in _batches(items):
                    with store.write(LINCOLN, durability=Durability.BULK) as tx:
                        write(tx, batch)

            return run

        return ready

    def raw(self, rows: Rows) -> Callable[[int], Callable[[], None]]:
        """Through the driver alone, batch by batch."""
        width = {table: ", ".join("?" * len(found[0])) for table, found in rows.items()}
        statements = {t: f"INSERT INTO {t} VALUES ({width[t]})" for t in rows}

        def ready(_number: int) -> Callable[[], None]:
            driver = self._opened("raw.db").library.engine.new_connection()
            self._closing.append(driver)
            for pragma in _BULK:
                driver.execute(f"PRAGMA {pragma}")
            batches = list(zip(*[list(_batches(found)) for found in rows.values()], strict=True))

            def run() -> None:
                for batch in batches:
                    driver.execute("BEGIN IMMEDIATE")
                    for table, part in zip(rows, batch, strict=True):
                        driver.executemany(statements[table], part)
                    driver.execute("COMMIT")

            return run

        return ready


def row_of(record: Record) -> tuple[Any, ...]:
    """A record as its table keeps it."""
    return (LINCOLN, *kind_of(record).codec.plain(record))


def rows(world: World) -> Iterator[Line]:
    """One kind without events; and devices with their events, links and the journal."""
    inserts = Inserts(world, world.scale.rows)
    rounds = world.scale.rounds
    plain: Rows = {"af_observation": [row_of(r) for r in inserts.observations]}
    found = compare(
        inserts.ours(lambda tx, batch: tx.insert(batch), inserts.observations),
        inserts.raw(plain),
        rounds=rounds,
    )
    yield _line("bulk insert", found, len(inserts.observations), Target(0.7, at_least=True))

    entries = inserts.entries()
    register = inserts.ours(lambda tx, batch: tx.record(batch), entries)
    register(0)()
    written = _written(world, len(entries))
    found = compare(register, inserts.raw(written), rounds=rounds)
    inserts.close()
    yield _line("register devices, events", found, len(entries), None)


def _written(world: World, count: int) -> Rows:
    """The rows that registering wrote, the journal's included."""
    tables = ("af_device", "af_device_link", "af_event")
    with closing(sqlite3.connect(world.folder / "ours.db")) as driver:
        every = {t: driver.execute(f"SELECT * FROM {t} ORDER BY rowid").fetchall() for t in tables}
    return {table: found[-count:] for table, found in every.items()}


def _line(name: str, found: Compared, count: int, target: Target | None) -> Line:
    return Line(
        name,
        f"{micros(found.took, count)} a row",
        f"raw executemany {micros(found.peer_took, count)}",
        found.faster,
        target,
    )
