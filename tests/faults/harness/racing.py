"""Many hands that want the same devices at once, and a check of each device's own history."""

from __future__ import annotations

import time
from collections import Counter

from harness.books import Auditor
from harness.grounds import Ground, person
from harness.nursery import Nursery
from harness.register import by_device, calls_of, linearizable
from harness.results import Result

__all__ = ["race_for_devices"]

_HANDS = 8
_TAKING = 0.6
_EACH = 400
"""Calls for each device, so that a larger race has more devices and not longer histories."""


def race_for_devices(
    ground: Ground, nursery: Nursery, *, check_outs: int, seed: int = 2026
) -> Result:
    """Eight processes hand devices out and take them back, as fast as they can.

    Args:
        ground: An empty database.
        nursery: Forks the hands.
        check_outs: How many calls of ``check_out``, in all.
        seed: Of who asks for what.
    """
    begun = time.monotonic()
    devices = max(round(check_outs / _TAKING) // _EACH, 4)
    ground.settle(people=_HANDS, devices=devices)
    hands = [
        {
            "name": f"h{n}",
            "seed": f"{seed}-{n}",
            "url": ground.worker_url,
            "person": person(n),
            "devices": devices,
            "check_outs": -(-check_outs // _HANDS),
            "taking": _TAKING,
        }
        for n in range(_HANDS)
    ]
    with ground.open(actor="auditor") as district:
        auditor = Auditor(ground, district)
        before = auditor.head.seq
        workers = nursery.run("race", hands)
        assert [w.code for w in workers] == [0] * _HANDS, workers
        found = [call for worker in workers for call in calls_of(worker.words)]
        outcomes = Counter((call.verb, call.outcome) for _, call in found)
        auditor.acknowledged = sum(n for (_, said), n in outcomes.items() if said == "ok")
        auditor.unknown = sum(n for (_, said), n in outcomes.items() if said == "unknown")
        auditor.refused = outcomes.total() - auditor.acknowledged - auditor.unknown
        for device, history in by_device(found).items():
            assert linearizable(history), f"no order explains what was told of {device}: {history}"
        auditor.head = district.journal.head()
        stored = auditor.head.seq - before
        assert auditor.acknowledged <= stored <= auditor.acknowledged + auditor.unknown, stored
        auditor.audit()
    outs = sum(n for (verb, _), n in outcomes.items() if verb == "out")
    assert outs >= check_outs, outcomes
    return Result.of(
        f"{_HANDS} processes racing for {devices:,} devices",
        ground,
        auditor,
        f"{outs:,} check-outs, {outcomes.total() - outs:,} check-ins",
        begun,
    )
