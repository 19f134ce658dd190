"""Writers that are killed in the middle of what they do."""

from __future__ import annotations

import random
import signal
import time

from harness.books import Auditor
from harness.grounds import Ground
from harness.nursery import Nursery
from harness.results import Result

__all__ = ["FLOOR", "kill_writers"]

FLOOR = 3
"""Acts acknowledged for each kill, on average, or the run proved nothing."""

_AUDIT_EVERY = 10
_WITHIN = 0.06


def kill_writers(ground: Ground, nursery: Nursery, *, kills: int, seed: int = 2026) -> Result:
    """Two writers at once on the same few devices, killed, again and again.

    Most are killed after a number of answers, at a moment within the next; one turn in ten is
    killed wherever it is, which may be while it opens the database.

    Args:
        ground: An empty database.
        nursery: Forks the writers.
        kills: How many.
        seed: Of all that is random.
    """
    dice, begun = random.Random(seed), time.monotonic()
    ground.settle(people=30, devices=24)
    with ground.open(actor="auditor") as district:
        auditor = Auditor(ground, district)
        for turn in range(kills // 2):
            writers = [
                {
                    "name": f"w{turn}{side}",
                    "seed": f"{seed}-{turn}{side}",
                    "url": ground.worker_url,
                    "people": 30,
                    "devices": 24,
                }
                for side in "ab"
            ]
            anywhere = dice.random() < 0.1
            workers = nursery.run(
                "write",
                writers,
                kill_after=None if anywhere else dice.randint(6, 50),
                kill_within=_WITHIN if anywhere else None,
                linger=0.004,
                seed=f"{seed}-{turn}",
            )
            ground.quiet()
            assert [w.code for w in workers] == [-signal.SIGKILL] * 2, workers
            try:
                auditor.settle(workers)
                if turn % _AUDIT_EVERY == 0:
                    auditor.audit()
            except AssertionError as found:
                found.add_note(f"turn {turn} of seed {seed}")
                raise
        auditor.audit()
    assert auditor.acknowledged >= kills * FLOOR, "the writers were idle"
    return Result.of(
        "writers killed (`SIGKILL`)", ground, auditor, f"{kills // 2 * 2:,} kills", begun
    )
