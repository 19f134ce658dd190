"""Pulls of a fleet that is known, without a network: what a nightly run costs when little changed.

The limit of a pull of an unchanged fleet is what no pull can leave out: decoding every page with
the connector's own parser and digesting the tracked fields of every record. The rest is reading
what is known, comparing, and keeping book of the run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from assetflow.model import Observation
from assetflow.reconcile import digest, facts_of
from assetflow.store.schema import KINDS
from benchmarks.measure import Compared, Line, Target, compare, micros
from benchmarks.source import Pages, PagesConnector, changed, seen_again
from benchmarks.world import LINCOLN

if TYPE_CHECKING:
    from pathlib import Path

    from assetflow.exchange.report import PullReport
    from assetflow.model import ObservedDevice
    from benchmarks.world import World

__all__ = [
    "Upserts",
    "changed_rows",
    "checked",
    "decode_and_digest",
    "observation_row",
    "unchanged_rows",
]

_BATCH = 3_000


class Untouched:
    """Proves that no event was appended and no device row touched meanwhile.

    Args:
        path: The district's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = self._state()

    def _state(self) -> tuple[object, str]:
        with closing(sqlite3.connect(self._path)) as connection:
            head = connection.execute("SELECT seq, hash FROM af_event_head").fetchall()
            rows = blake2b(digest_size=16)
            for row in connection.execute("SELECT * FROM af_device ORDER BY rowid"):
                rows.update(repr(row).encode())
        return head, rows.hexdigest()

    def check(self) -> None:
        """Raise unless all is as it was."""
        if self._state() != self._before:
            raise AssertionError("the pull touched the journal or a device row")


def decode_and_digest(pages: Pages, devices: int) -> Callable[[], None]:
    connector = PagesConnector(pages, devices)

    def run() -> None:
        for page in connector.decode():
            for observed in page.items:
                digest(observed)

    return run


def checked(report: PullReport, **counts: int) -> None:
    """Raise unless a pull counted so."""
    found = {name: getattr(report.run, name) for name in counts}
    if found != counts:
        raise AssertionError(f"the pull counted {found}, not {counts}")


def unchanged_rows(world: World) -> Iterator[Line]:
    """Nothing changed; and nothing but telemetry changed, on every record."""
    path, count = world.large, world.scale.fleet
    with world.open(path) as district:
        proof = Untouched(path)

        def pull(pages: Pages) -> Callable[[], None]:
            connector = PagesConnector(pages, count)

            def run() -> None:
                report = district.pull(connector, workers=1)
                checked(report, seen=count, created=0, linked=0, changed=0, problems=0)

            return run

        found = compare(
            lambda _: pull(world.pages),
            lambda _: decode_and_digest(world.pages, count),
            rounds=world.scale.rounds,
        )
        yield _line("pull, unchanged", found, count, Target(1.4))
        begun = world.year

        def moved(number: int) -> Pages:
            while world.year <= begun + number:
                world.year += 1
                world.pages = seen_again(world.pages, world.year)
            return world.pages

        found = compare(
            lambda number: pull(moved(number)),
            lambda number: decode_and_digest(moved(number), count),
            rounds=world.scale.rounds,
        )
        yield _line("pull, telemetry moved", found, count, Target(1.6))
        proof.check()


def _line(name: str, found: Compared, count: int, target: Target) -> Line:
    return Line(
        name,
        f"{micros(found.took, count)} a device",
        f"decode + digest {micros(found.peer_took, count)}",
        found.cost,
        target,
    )


def changed_rows(world: World) -> Iterator[Line]:
    """One record in a hundred changed. The pull begins with decoded records, as its peer does."""
    count = world.scale.fleet
    expected = -(-count // 100)
    with world.open(world.large) as district:
        made: dict[int, PagesConnector] = {}

        def source(number: int) -> PagesConnector:
            """The fleet as it is in a round, decoded beforehand."""
            if number not in made:
                made.clear()
                world.carts += 1
                world.pages = changed(world.pages, world.carts)
                made[number] = PagesConnector(world.pages, count, decoded=True)
            return made[number]

        def pull(number: int) -> Callable[[], None]:
            connector = source(number)

            def run() -> None:
                before = district.journal.head().seq
                report = district.pull(connector, workers=1)
                checked(report, seen=count, changed=expected, problems=0)
                if district.journal.head().seq != before + expected:
                    raise AssertionError("not one event for each change")

            return run

        peer = Upserts(world)
        peer.run(PagesConnector(world.pages, count, decoded=True))

        def upsert(number: int) -> Callable[[], None]:
            connector = source(number)
            return lambda: peer.run(connector, expected)

        found = compare(pull, upsert, rounds=world.scale.rounds)
        peer.close()
    yield Line(
        "pull, 1 % changed",
        f"{micros(found.took, count)} a device",
        f"ON CONFLICT .. WHERE, no events {micros(found.peer_took, count)}",
        found.faster,
        Target(3, at_least=True),
    )


def observation_row(observed: ObservedDevice) -> tuple[Any, ...]:
    """What a source said of a device, as the table keeps it; no raw record."""
    facts = msgspec.json.encode(facts_of(observed)).decode()
    key = (LINCOLN, "google", observed.source_id)
    return (*key, None, digest(observed), facts, "r", "r", None, None, None)


class Upserts:
    """The plain way: every record is sent to the database, which keeps what is different.

    The same table with the same indexes and pragmas, the same batches, the driver itself. It keeps
    no event, decides nothing about devices, and leaves out the vendor's raw record, which it would
    have to compress for every row.
    """

    def __init__(self, world: World) -> None:
        path = world.copy(world.empty, "upserts.db")
        self._store = world.store(path)
        self._driver = self._store.library.engine.new_connection()
        for pragma in ("synchronous = NORMAL", "wal_autocheckpoint = 16000"):
            self._driver.execute(f"PRAGMA {pragma}")
        columns = ["district_id", *(c.name for c in KINDS[Observation.KIND].columns)]
        others = [c for c in columns if c not in ("district_id", "source", "source_id")]
        self._sql = (
            f"INSERT INTO af_observation ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
            "ON CONFLICT (district_id, source, source_id) DO UPDATE SET "
            + ", ".join(f"{c} = excluded.{c}" for c in others)
            + " WHERE excluded.digest <> af_observation.digest"
        )

    def run(self, connector: PagesConnector, expected: int | None = None) -> None:
        changed_rows, batch = 0, []
        for page in connector.ready():
            batch += map(observation_row, page.items)
            if len(batch) >= _BATCH:
                changed_rows += self._send(batch)
                batch = []
        changed_rows += self._send(batch)
        if expected is not None and changed_rows != expected:
            raise AssertionError(f"{changed_rows} rows changed, not {expected}")

    def _send(self, batch: list[tuple[Any, ...]]) -> int:
        self._driver.execute("BEGIN IMMEDIATE")
        count = self._driver.executemany(self._sql, batch).rowcount
        self._driver.execute("COMMIT")
        return count

    def close(self) -> None:
        self._driver.close()
        self._store.close()
