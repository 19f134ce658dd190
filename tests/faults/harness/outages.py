"""A server that goes away under its writers, again and again, and comes back."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import assetflow
from harness.books import Auditor
from harness.nursery import Nursery
from harness.results import Result
from harness.servers import PostgresGround

__all__ = ["end_server"]

_WRITERS = 4
_WORK = 20
"""Events between two ends of the server."""


def end_server(
    ground: PostgresGround, nursery: Nursery, how: str, *, times: int, seed: int = 2026
) -> Result:
    """Four writers go on with what they were at when the server is back, each act until it is done.

    An act whose answer was lost is done again under its key.

    Args:
        ground: An empty database, on a server that waits for the disk.
        nursery: Forks the writers.
        how: ``kill`` or ``stop_immediately``.
        times: How often.
        seed: Of all that is random.
    """
    dice, begun = random.Random(seed), time.monotonic()
    ground.settle(people=30, devices=24)
    with tempfile.TemporaryDirectory() as folder, ground.open(actor="auditor") as district:
        auditor, stop = Auditor(ground, district), Path(folder) / "stop"
        writers = [
            {
                "name": f"w{n}",
                "seed": f"{seed}-{n}",
                "url": ground.worker_url,
                "people": 30,
                "devices": 24,
                "stop": str(stop),
            }
            for n in range(_WRITERS)
        ]
        nursery.begin("toil", writers)
        try:
            for _ in range(times):
                _worked(district)
                time.sleep(dice.random() / 2)
                getattr(ground.server, how)()
                ground.server.start()
            _worked(district)
        finally:
            stop.touch()
        workers = nursery.ended()
        assert [w.code for w in workers] == [0] * _WRITERS, workers
        auditor.settle(workers)
        auditor.unknown = len(
            {(w.name, said[1]) for w in workers for said in w.words if said[0] == "lost"}
        )
        assert auditor.unknown, "no writer noticed anything"
        auditor.audit()
    fault = {
        "kill": "the server killed (`SIGKILL`)",
        "stop_immediately": "the server stopped at once",
    }
    return Result.of(fault[how], ground, auditor, f"{times} times", begun)


def _worked(district: assetflow.District) -> None:
    """Wait until the writers have done something since the server is there."""
    until, end = district.journal.head().seq + _WORK, time.monotonic() + 60
    while district.journal.head().seq < until:
        assert time.monotonic() < end, "the writers are idle"
        time.sleep(0.02)
