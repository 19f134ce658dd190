"""What a person waits for: a check-out, a new asset, a page of devices.

A check-out is measured against the same statements, text by text and value by value, on the bare
driver: a first run on a copy of the file records what the store sends, and that is sent again to
another copy that stands as the first one stood. So the difference is all that the library adds:
reading records, rules, the journal's body and hash, the outbox, the transaction. Both wait for
the disk at the end, as a check-out must.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING

import sqlalchemy as sa

import assetflow
from assetflow.model import Device, F, Query
from assetflow.store.sql import SqlStore
from benchmarks.measure import Compared, Line, Target, micros
from benchmarks.recorded import Constructs, RecordingEngine, replay
from benchmarks.world import LINCOLN

if TYPE_CHECKING:
    from pathlib import Path

    from assetflow.district import District
    from benchmarks.recorded import Sent
    from benchmarks.world import World

__all__ = ["Desk", "check_out_rows", "scale_rows"]

_WARM = 20

# Snipe-IT 8.1.4 with MariaDB through its own API, one request after another, on another machine
# at another time: named for scale only.
_SNIPE_CHECK_OUT, _SNIPE_NEW, _SNIPE_PAGE = 0.060, 0.060, 0.234


class Desk:
    """A district with people and devices to hand to them.

    Args:
        world: The stage.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.count = world.scale.acts + _WARM
        self.path = world.copy(world.small, "desk.db")
        with world.open(self.path) as district:
            with district.store.read(LINCOLN) as tx:
                found = tx.find(
                    Query(kind=Device, where=F.asset_tag.is_known() & (F.lifecycle == "in_stock"))
                )
                self.tags = [str(d.asset_tag) for d in islice(found, self.count)]
            self.numbers = [f"{n:07d}" for n in range(len(self.tags))]
            for number in self.numbers:
                district.people.register(
                    "student", local_id=number, given_name="Ada", family_name="Alder", grade="09"
                )

    def copy(self, name: str) -> Path:
        return self._world.copy(self.path, name)

    def acts(self, district: District) -> Iterator[Callable[[], object]]:
        """Check-outs of different devices to different people."""
        for tag, number in zip(self.tags, self.numbers, strict=True):
            yield lambda tag=tag, number=number: district.custody.check_out(tag, to=number)

    def recorded(self) -> list[list[Sent]]:
        """What each check-out sends, from one on a copy of the file."""
        engine = RecordingEngine(sa.make_url(f"sqlite:///{self.copy('recorded.db')}"))
        sent: list[list[Sent]] = []
        with assetflow.open(SqlStore(engine), district=LINCOLN, actor="bench") as district:
            for act in self.acts(district):
                engine.sent.clear()
                act()
                sent.append(list(engine.sent))
        engine.close()
        return sent

    def compare(self, theirs: Sequence[Callable[[], object]]) -> tuple[Compared, Compared]:
        """Each check-out beside its peer, in turn; by the wall clock, and by the processor's."""
        times: tuple[tuple[list[float], list[float]], ...] = (([], []), ([], []))
        with self._world.open(self.copy("ours.db")) as district:
            pairs = zip(self.acts(district), theirs, strict=True)
            for number, pair in enumerate(pairs):
                for side in (0, 1) if number % 2 else (1, 0):
                    wall, work = time.perf_counter(), time.process_time()
                    pair[side]()
                    took = time.perf_counter() - wall, time.process_time() - work
                    if number >= _WARM:
                        for clock in (0, 1):
                            times[clock][side].append(took[clock])
        return Compared(*times[0]), Compared(*times[1])


def check_out_rows(world: World) -> Iterator[Line]:
    """Against the bare driver, and against Core's own execution."""
    desk = Desk(world)
    with Constructs() as constructs:
        sent = desk.recorded()
    engine = SqlStore.open(f"sqlite:///{desk.copy('theirs.db')}").library.engine
    driver = engine.new_connection()
    wall, work = desk.compare([lambda calls=calls: replay(driver, calls) for calls in sent])
    driver.close()
    engine.close()
    statements = sum(bool(call.sql) for call in sent[-1])
    peer = f"{statements} statements, raw driver {micros(wall.peer_took)}"
    name = "check-out, durable"
    yield Line(name, f"p50 {micros(wall.took)}", peer, wall.took / wall.peer_took, Target(2))
    peer = f"raw driver {micros(work.peer_took)}"
    ratio = work.took / work.peer_took
    yield Line("check-out, CPU alone", f"p50 {micros(work.took)}", peer, ratio)

    engine = SqlStore.open(f"sqlite:///{desk.copy('theirs.db')}").library.engine
    with engine.sa_engine.connect() as connection:
        runs = [lambda calls=calls: constructs.replay(connection, calls) for calls in sent]
        wall, _ = desk.compare(runs)
    engine.close()
    peer = f"the statements through SQLAlchemy Core {micros(wall.peer_took)}"
    yield Line(name, f"p50 {micros(wall.took)}", peer, wall.peer_took / wall.took)


def scale_rows(world: World) -> Iterator[Line]:
    """Against a web application's API as it was measured elsewhere, for scale."""
    desk = Desk(world)
    with world.open(desk.path) as district:
        outs = [_wall(act) for act in desk.acts(district)][_WARM:]
        news = [
            _wall(
                lambda n=n: district.devices.register(
                    asset_tag=f"NEW-{n:06d}",
                    serial=f"NEW{n:06d}",
                    model="Kestrel Chromebook 11 G9 EE",
                )
            )
            for n in range(desk.count)
        ][_WARM:]
        pages = [_wall(lambda: list(district.devices.where().limit(300))) for _ in range(24)][4:]
    least = Target(20, at_least=True)
    for name, times, theirs in (
        ("check-out, for scale", outs, _SNIPE_CHECK_OUT),
        ("new asset, for scale", news, _SNIPE_NEW),
        ("page of 300, for scale", pages, _SNIPE_PAGE),
    ):
        ours = median(times)
        yield Line(
            name,
            f"p50 {micros(ours)}",
            f"Snipe-IT's API, elsewhere {micros(theirs)}",
            theirs / ours,
            least,
        )


def _wall(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun
