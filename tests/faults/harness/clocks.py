"""A clock that is set back an hour while people work: the order is that of the journal."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import assetflow
from harness.books import Auditor
from harness.grounds import HERE, Ground, person, tag
from harness.results import Result

__all__ = ["set_back"]

_ROUNDS = 30


class _Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=20)
        return self.now


def set_back(ground: Ground) -> Result:
    """Hand a device from one person to the next, and set the clock back in the middle of it."""
    begun = time.monotonic()
    ground.settle(people=4, devices=1)
    clock = _Clock()
    with (
        ground.open(actor="auditor") as watching,
        assetflow.open(ground.url, district=HERE, actor="desk", clock=clock) as district,
    ):
        auditor = Auditor(ground, watching)
        stays: list[tuple[str, str]] = []
        for n in range(_ROUNDS):
            if n % 7 == 3:
                district.custody.check_out(tag(0), to=person(n % 4))
                clock.now -= timedelta(hours=1)
            else:
                done = district.custody.check_out(tag(0), to=person(n % 4))
                if n % 7 == 5:
                    clock.now -= timedelta(hours=1)
                assert district.custody.of(tag(0)) == done.custody
            held = district.custody.of(tag(0))
            stays.append((held.id, held.accountable_id))
            back = district.custody.check_in(tag(0))
            assert back.custody.id == held.id
            assert district.custody.of(tag(0)) is None
        _histories(district, stays)
        auditor.acknowledged = 2 * _ROUNDS
        auditor.head = watching.journal.head()
        auditor.audit()
    return Result.of(
        "the clock set back an hour", ground, auditor, f"{_ROUNDS // 7 * 2} times", begun
    )


def _histories(district: assetflow.District, stays: list[tuple[str, str]]) -> None:
    said = [
        (event.custody_id, event.TYPE)
        for event, _ in district.devices.history(tag(0))
        if event.TYPE.startswith("device.checked")
    ]
    both = [(c, f"device.checked_{way}@1") for c, _ in stays for way in ("out", "in")]
    assert said == both, "the journal's order is not that in which it happened"
    seqs = [stored.seq for stored, _, _ in district.journal.events()]
    assert seqs == list(range(1, len(seqs) + 1))
    shown = [(c.id, c.accountable_id) for c in district.custody.history(tag(0))]
    assert shown == stays, "the device's history is not in the order in which it happened"
    ended = [c.ended_at >= c.since for c in district.custody.history(tag(0))]
    assert all(ended), "a stay that ends before it begins"
