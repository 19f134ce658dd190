"""Two scanners beside a pull that registers a fleet: where the end of the journal is locked.

Whoever writes an event needs the journal's end. Locked last, a bulk transaction has prepared all
that it will write before it holds what everybody needs; locked first, the scanners wait for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

import assetflow
from assetflow.store.sql.store import WriteScope
from benchmarks import children
from benchmarks.measure import Line, Missing, micros
from benchmarks.source import PagesConnector, first_pages
from benchmarks.world import LINCOLN

if TYPE_CHECKING:
    from assetflow.store.sql.writing import SqlWrite
    from benchmarks.world import World

__all__ = ["beside_rows"]

_SCANNERS = 2


def beside_rows(world: World) -> Iterator[Line]:
    """Check-outs of two scanners while a pull runs, with the end locked last and first."""
    name = "2 scanners beside a pull"
    try:
        postgres = world.postgres
    except Missing as missing:
        yield Line(name, "", str(missing), skipped=True)
        return
    scans = children.WARM + max(world.scale.acts // 4, 2)
    found = {}
    for order in ("last", "first"):
        url = postgres.fresh(f"beside_{order}")
        with assetflow.open(url, district=LINCOLN, create=True, actor="bench") as district:
            for n in range(_SCANNERS * scans):
                district.devices.register(asset_tag=f"T{n:06d}", serial=f"S{n:06d}")
                district.people.register("student", local_id=f"{n:06d}", grade="09")
        pull = ("pull", url, order, 0, world.scale.fleet)
        scan = [("scan", url, order, n * scans, scans) for n in range(_SCANNERS)]
        puller, *scanners = children.begin("benchmarks.beside", [pull, *scan])
        told = children.collect(scanners)
        ended = puller.poll() is not None
        if not ended:
            puller.kill()
        out, _ = puller.communicate()
        end = json.loads(out)[0] if ended else float("inf")
        times = [t for one in told for t, at in zip(one, accumulate(one), strict=True) if at <= end]
        found[order] = (len(times) / min(max(map(sum, told)), end), children.p99(times))
    (last, slow_last), (first, slow_first) = found["last"], found["first"]
    yield Line(
        name,
        f"end locked last: {last:,.0f}/s, p99 {micros(slow_last)}",
        f"locked first: {first:,.0f}/s, p99 {micros(slow_first)}",
        last / first,
    )


def prepare(
    role: str, url: str, order: str, first: int, count: int
) -> Iterator[Callable[[], object]]:
    """In a process: a pull of a fleet, or check-outs one after another."""
    if order == "first":
        _lock_first()
    district = assetflow.open(url, district=LINCOLN, actor=f"bench-{os.getpid()}")
    if role == "pull":
        connector = PagesConnector(first_pages(count), count)
        return iter([lambda: district.pull(connector, workers=1)])
    return (
        lambda n=n: district.custody.check_out(f"T{n:06d}", to=f"{n:06d}")  # type: ignore[misc]
        for n in range(first, first + count)
    )


def _lock_first() -> None:
    """Have every write transaction of this process lock the journal's end when it begins."""
    enter = WriteScope.__enter__

    def entered(scope: WriteScope) -> SqlWrite:
        tx = enter(scope)
        tx._head = tx._stored = tx._locked_head()  # noqa: SLF001  # what the row is about
        return tx

    WriteScope.__enter__ = entered  # type: ignore[method-assign]


if __name__ == "__main__":
    children.serve(prepare)
