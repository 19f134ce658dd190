"""Reading the books: the journal's proof against hashing alone, bulk reads against the driver."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from assetflow.model import Device, Query
from assetflow.store.journal import verify
from benchmarks.measure import Line, compare, micros, once
from benchmarks.world import LINCOLN

if TYPE_CHECKING:
    from benchmarks.world import World

__all__ = ["rows"]

_FIELDS = ("id", "asset_tag", "serial", "lifecycle", "model_id", "auto_update_ends")


def rows(world: World) -> Iterator[Line]:
    """Reported, without a target."""
    rounds = world.scale.rounds
    with world.open(world.large) as district:
        store = district.store
        with store.read(LINCOLN) as tx:
            bodies = [(event.prev, event.body) for event in tx.journal()]

        def proof() -> None:
            with store.read(LINCOLN) as tx:
                verify(tx)

        def hashes() -> None:
            for prev, body in bodies:
                sha256(f"{prev}{body}".encode()).hexdigest()

        found = compare(once(proof), once(hashes), rounds=rounds)
        yield Line(
            "verify the journal",
            f"{micros(found.took, len(bodies))} an event",
            f"hashlib alone, {len(bodies):,} events {micros(found.peer_took, len(bodies))}",
            found.cost,
        )

        def values() -> None:
            with store.read(LINCOLN) as tx:
                list(tx.values(Query(kind=Device), _FIELDS))

        driver = store.library.engine.new_connection()  # type: ignore[attr-defined]
        sql = f"SELECT {', '.join(_FIELDS)} FROM af_device WHERE district_id = ? ORDER BY id"
        count = world.scale.fleet
        fetch = once(lambda: driver.execute(sql, (LINCOLN,)).fetchall())
        found = compare(once(values), fetch, rounds=rounds)
        driver.close()
        yield Line(
            "read values of devices",
            f"{micros(found.took, count)} a row",
            f"raw fetchall {micros(found.peer_took, count)}",
            found.cost,
        )
