"""The rows of bulk work and of a check-out again, on PostgreSQL, against the bare driver.

By the wall clock: the server's work counts too, and both wait for its disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

import assetflow
from assetflow.model import Observation, Query
from assetflow.store.ports import Durability
from assetflow.store.schema import KINDS
from assetflow.store.sql import SqlStore
from benchmarks.bulk import row_of
from benchmarks.measure import Compared, Line, Missing, Target, compare, micros
from benchmarks.pulls import checked, observation_row
from benchmarks.recorded import Sent, recording, replay
from benchmarks.source import PagesConnector, changed, first_pages
from benchmarks.world import LINCOLN

if TYPE_CHECKING:
    from benchmarks.server import Postgres
    from benchmarks.world import World

__all__ = ["changed_rows", "check_out_rows", "insert_rows"]

_WARM, _BATCH = 20, 3_000
_SAY = f"SET LOCAL assetflow.district = '{LINCOLN}'"


def check_out_rows(world: World) -> Iterator[Line]:
    """A check-out against its own statements, each in one call of the driver."""
    name = "check-out, PostgreSQL"
    try:
        postgres = world.postgres
    except Missing as missing:
        yield Line(name, "", str(missing), skipped=True)
        return
    count = world.scale.acts + _WARM
    desk = postgres.fresh("desk")
    with _open(desk) as district:
        for n in range(count):
            district.people.register("student", local_id=f"{n:07d}", grade="09")
            district.devices.register(asset_tag=f"T{n:07d}", serial=f"S{n:07d}")
    sent = _recorded(postgres.copy(desk, "recorded"), count)
    driver = postgres.connect(postgres.copy(desk, "theirs"))
    times: tuple[list[float], list[float]] = ([], [])
    with _open(postgres.copy(desk, "ours")) as district:
        for n, calls in enumerate(sent):
            pair = (lambda n=n: _check_out(district, n), lambda calls=calls: replay(driver, calls))
            for side in (0, 1) if n % 2 else (1, 0):
                begun = time.perf_counter()
                pair[side]()
                times[side].append(time.perf_counter() - begun)
    driver.close()
    found = Compared(times[0][_WARM:], times[1][_WARM:])
    statements = sum(bool(call.sql) for call in sent[-1])
    peer = f"{statements} statements, raw driver {micros(found.peer_took)}"
    ratio = found.took / found.peer_took
    yield Line(name, f"p50 {micros(found.took)}", peer, ratio, Target(1.5))


def _open(url: str) -> assetflow.District:
    return assetflow.open(url, district=LINCOLN, create=True, actor="bench", time_zone="UTC")


def _check_out(district: assetflow.District, n: int) -> None:
    district.custody.check_out(f"T{n:07d}", to=f"{n:07d}")


def _recorded(url: str, count: int) -> list[list[Sent]]:
    from assetflow.store.sql.postgres import PostgresEngine

    engine = recording(PostgresEngine)(sa.make_url(url), lock_timeout=30.0)
    sent: list[list[Sent]] = []
    with assetflow.open(SqlStore(engine), district=LINCOLN, actor="bench") as district:
        for n in range(count):
            engine.sent.clear()
            _check_out(district, n)
            sent.append(list(engine.sent))
    engine.close()
    return sent


def insert_rows(world: World) -> Iterator[Line]:
    """Bulk inserts against COPY in its binary form, into a table like it without row security."""
    name = "bulk insert, PostgreSQL"
    try:
        postgres = world.postgres
    except Missing as missing:
        yield Line(name, "", str(missing), skipped=True)
        return
    with world.open(world.large) as district, district.store.read(LINCOLN) as tx:
        records = list(islice(tx.find(Query(kind=Observation)), world.scale.rows))
    url = postgres.fresh("inserts")
    driver = postgres.connect(url)
    driver.execute("CREATE TABLE peer (LIKE af_observation INCLUDING ALL)")
    rows = [row_of(record) for record in records]
    types = [
        str(kind)
        for (kind,) in driver.execute(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute "
            "WHERE attrelid = 'peer'::regclass AND attnum > 0 ORDER BY attnum"
        )
    ]
    with closing(SqlStore.open(url)) as store:

        def ours(_number: int) -> Callable[[], None]:
            driver.execute("TRUNCATE af_observation")

            def run() -> None:
                for at in range(0, len(records), _BATCH):
                    with store.write(LINCOLN, durability=Durability.BULK) as tx:
                        tx.insert(records[at : at + _BATCH])

            return run

        def theirs(_number: int) -> Callable[[], None]:
            driver.execute("TRUNCATE peer")
            return lambda: _copied(driver, types, rows)

        clock = time.perf_counter
        found = compare(ours, theirs, rounds=world.scale.rounds, clock=clock)
    driver.close()
    yield Line(
        name,
        f"{micros(found.took, len(rows))} a row",
        f"COPY, binary {micros(found.peer_took, len(rows))}",
        found.faster,
        Target(0.7, at_least=True),
    )


def _copied(driver: Any, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    for at in range(0, len(rows), _BATCH):
        cursor = driver.cursor()
        with cursor.copy("COPY peer FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types)
            for row in rows[at : at + _BATCH]:
                copy.write_row(row)


def changed_rows(world: World) -> Iterator[Line]:
    """One record in a hundred changed, with its event, against ON CONFLICT .. WHERE."""
    name = "pull, 1 % changed, PG"
    try:
        postgres = world.postgres
    except Missing as missing:
        yield Line(name, "", str(missing), skipped=True)
        return
    count = world.scale.small
    pages, carts = [first_pages(count)], [0]
    url = postgres.fresh("changed")
    peer = _Upserts(postgres)
    peer.run(PagesConnector(pages[0], count, decoded=True))
    with _open(url) as district:
        district.pull(PagesConnector(pages[0], count), workers=1)
        made: dict[int, PagesConnector] = {}

        def source(number: int) -> PagesConnector:
            if number not in made:
                made.clear()
                carts[0] += 1
                pages[0] = changed(pages[0], carts[0])
                made[number] = PagesConnector(pages[0], count, decoded=True)
            return made[number]

        def pull(number: int) -> Callable[[], None]:
            connector = source(number)
            return lambda: checked(
                district.pull(connector, workers=1),
                seen=count,
                changed=-(-count // 100),
                problems=0,
            )

        def upsert(number: int) -> Callable[[], None]:
            connector = source(number)
            return lambda: peer.run(connector)

        clock = time.perf_counter
        found = compare(pull, upsert, rounds=world.scale.rounds, clock=clock)
    peer.close()
    yield Line(
        name,
        f"{micros(found.took, count)} a device",
        f"ON CONFLICT .. WHERE, no events {micros(found.peer_took, count)}",
        found.faster,
        Target(3, at_least=True),
    )


class _Upserts:
    """Every record is sent to the server, which keeps what is different."""

    def __init__(self, postgres: Postgres) -> None:
        self._driver = postgres.connect(postgres.fresh("upserts"))
        columns = ["district_id", *(c.name for c in KINDS[Observation.KIND].columns)]
        others = [c for c in columns if c not in ("district_id", "source", "source_id")]
        self._sql = (
            f"INSERT INTO af_observation ({', '.join(columns)}) "
            f"VALUES ({', '.join(['%s'] * len(columns))}) "
            "ON CONFLICT (district_id, source, source_id) DO UPDATE SET "
            + ", ".join(f"{c} = excluded.{c}" for c in others)
            + " WHERE excluded.digest <> af_observation.digest"
        )

    def run(self, connector: PagesConnector) -> None:
        rows = [observation_row(seen) for page in connector.ready() for seen in page.items]
        for at in range(0, len(rows), _BATCH):
            with self._driver.transaction():
                self._driver.execute(_SAY)
                self._driver.cursor().executemany(self._sql, rows[at : at + _BATCH])

    def close(self) -> None:
        self._driver.close()
