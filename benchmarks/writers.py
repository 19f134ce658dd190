"""Eight processes that hand out devices at once, on a file and on PostgreSQL.

Each has devices and people of its own; they meet at the end of the journal, of which a district
has one. The peers do a plainer check-out, see ``plain_store``: no rules, no holds, no outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import assetflow
from benchmarks import children, plain_store
from benchmarks.measure import Line, Missing, micros
from benchmarks.world import LINCOLN

if TYPE_CHECKING:
    from benchmarks.world import World

__all__ = ["writer_rows"]

_WRITERS = 8


def writer_rows(world: World) -> Iterator[Line]:
    """Check-outs in a second, and what one in a hundred exceeds."""
    each = children.WARM + max(world.scale.acts // 8, 2)
    folder = world.folder / "writers"
    folder.mkdir()
    yield from _rows("SQLite", each, f"sqlite:///{folder}/ours.db", f"sqlite:///{folder}/peer")
    try:
        postgres = world.postgres
    except Missing as missing:
        yield Line("8 writers, PostgreSQL", "", str(missing), skipped=True)
        return
    peers = {way: postgres.fresh(f"writers_{way}") for way in plain_store.WAYS}
    yield from _rows("PostgreSQL", each, postgres.fresh("writers"), "", peers=peers)


def _rows(
    engine: str, each: int, url: str, base: str, *, peers: dict[str, str] | None = None
) -> Iterator[Line]:
    with assetflow.open(url, district=LINCOLN, create=True, actor="bench") as district:
        for n in range(_WRITERS * each):
            district.devices.register(asset_tag=f"T{n:06d}", serial=f"S{n:06d}")
            district.people.register("student", local_id=f"{n:06d}", grade="09")
    ours, times = children.together("benchmarks.writers", _orders("assetflow", url, each))
    figure = f"{ours:,.0f}/s, p99 {micros(children.p99(times))}"
    for way in plain_store.WAYS:
        at = peers[way] if peers else f"{base}-{way}.db"
        made = plain_store.engine_for(at)
        plain_store.make_tables(made, [f"T{n:06d}" for n in range(_WRITERS * each)])
        made.dispose()
        theirs, times = children.together("benchmarks.writers", _orders(way, at, each))
        peer = f"plain, {way}: {theirs:,.0f}/s, p99 {micros(children.p99(times))}"
        yield Line(f"8 writers, {engine}", figure, peer, ours / theirs)


def _orders(way: str, url: str, each: int) -> list[tuple[object, ...]]:
    return [(way, url, n * each, each) for n in range(_WRITERS)]


def prepare(way: str, url: str, first: int, count: int) -> Iterator[Callable[[], object]]:
    """In a process: its check-outs, by the library or in a plainer way."""
    if way == "assetflow":
        district = assetflow.open(url, district=LINCOLN, actor="bench")
        out = district.custody.check_out
        return (
            lambda n=n: out(f"T{n:06d}", to=f"{n:06d}")  # type: ignore[misc]  # bound now
            for n in range(first, first + count)
        )
    check_out = plain_store.WAYS[way](url)
    return (
        lambda n=n: check_out(f"T{n:06d}", f"{n:06d}")  # type: ignore[misc]  # bound now
        for n in range(first, first + count)
    )


if __name__ == "__main__":
    children.serve(prepare)
