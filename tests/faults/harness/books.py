"""Holds what workers were told against what the database holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from attrs import define, field, frozen

import assetflow
from assetflow.model import Custody, Device
from assetflow.store.journal import verify as verify_chain
from assetflow.store.ports import Head
from harness.grounds import Ground
from harness.nursery import Worker
from harness.work import perform

__all__ = ["Auditor", "Told", "told_by"]

_WROTE = {
    "check_out": ("device.checked_out@1", "custody_id"),
    "check_in": ("device.checked_in@1", "custody_id"),
    "register": ("device.registered@1", None),
    "edit": ("device.edited@1", None),
}


@frozen
class Told:
    """What a worker said of its acts."""

    name: str
    """The worker."""
    acts: dict[int, list[Any]]
    """Each act that it began."""
    outcomes: dict[int, list[Any]]
    """What came of those that returned."""

    @property
    def open(self) -> dict[int, list[Any]]:
        """Acts of which nobody knows whether they happened."""
        return {n: act for n, act in self.acts.items() if n not in self.outcomes}


def told_by(worker: Worker) -> Told:
    """Sort a worker's words."""
    acts: dict[int, list[Any]] = {}
    outcomes: dict[int, list[Any]] = {}
    for word in worker.words:
        if word[0] == "begin":
            acts[word[1]] = word[2]
        elif word[0] == "done":
            outcomes[word[1]] = word[2]
    return Told(worker.name, acts, outcomes)


@define
class Auditor:
    """Checks a district after each disturbance, and wholly at the end.

    Args:
        ground: The database.
        district: The district, opened by the harness itself.
    """

    ground: Ground
    district: assetflow.District
    head: Head = field(init=False)
    acknowledged: int = field(default=0, init=False)
    """Acts that were answered with success."""
    refused: int = field(default=0, init=False)
    """Acts that a rule refused."""
    failed: int = field(default=0, init=False)
    """Acts that the database could not do, and said so."""
    unknown: int = field(default=0, init=False)
    """Acts that were cut off before their answer."""
    kept: int = field(default=0, init=False)
    """Those among them that are stored all the same."""
    checks: int = field(default=0, init=False)
    """Complete comparisons of journal and tables."""

    def __attrs_post_init__(self) -> None:
        self.head = self.district.journal.head()

    def settle(self, workers: Sequence[Worker]) -> None:
        """What was acknowledged is stored, and nothing else but at most the act that was cut off.

        The act that was cut off is then done again under the same key, as the next call.
        """
        told = [told_by(worker) for worker in workers]
        stored = self._stored()
        for each in told:
            self._hold(each, stored)
        for each in told:
            self._next_call(each, stored)

    def _stored(self) -> dict[str, list[Any]]:
        """Events since the last look, by the reason of their act; the chain is checked on the way."""
        with self.district.store.read(self.district.id) as tx:
            verified = verify_chain(tx, since=self.head)
        by_reason: dict[str, list[Any]] = defaultdict(list)
        for stored, event, stamp in self.district.journal.events(after=self.head.seq):
            by_reason[stamp.reason].append((stored, event))
        self.head = verified.head
        return by_reason

    def _hold(self, told: Told, stored: dict[str, list[Any]]) -> None:
        for n, (kind, ids) in told.outcomes.items():
            events = stored.get(f"{told.name}-{n}", [])
            if kind == "ok":
                self.acknowledged += 1
                assert len(events) == 1, (
                    f"acknowledged, and {len(events)} times stored: {told.name}-{n}"
                )
                self._same(told.acts[n], ids, *events[0])
            else:
                self.refused += kind == "refused"
                self.failed += kind == "failed"
                assert events == [], f"{kind}, and stored: {told.name}-{n}"
        self.unknown += len(told.open)
        assert len(told.open) <= 1, told.open
        for n in told.open:
            events = stored.get(f"{told.name}-{n}", [])
            assert len(events) <= 1, f"one act, {len(events)} times stored: {told.name}-{n}"
            self.kept += len(events)
        known = {f"{told.name}-{n}" for n in told.acts}
        stray = {r for r in stored if r and r.startswith(f"{told.name}-")} - known
        assert not stray, f"stored, and never asked for: {stray}"

    def _same(self, act: list[Any], ids: dict[str, str], stored: Any, event: Any) -> None:
        kind, custody = _WROTE[act[0]]
        assert (stored.type, stored.subject_id) == (kind, ids["device"])
        if custody:
            assert getattr(event, custody) == ids["custody"]
        with self.district.store.read(self.district.id) as tx:
            assert tx.get(Device, ids["device"]) is not None
            assert custody is None or tx.get(Custody, ids["custody"]) is not None

    def _next_call(self, told: Told, stored: dict[str, list[Any]]) -> None:
        """The act that was cut off, or the last one, once more: it has one effect."""
        here = self.district.acting_as(told.name)
        for n in list(told.open) or sorted(told.acts)[-1:]:
            act, reason = told.acts[n], f"{told.name}-{n}"
            before = stored.get(reason, [])
            outcome = perform(here, act, reason)
            after = before + self._stored().get(reason, [])
            if act[0] in ("check_out", "check_in"):
                assert len(after) == (outcome[0] == "ok"), f"a key and {len(after)} acts: {reason}"
            else:
                assert len(after) <= 1, f"one act, {len(after)} times stored: {reason}"
                assert after or outcome[0] == "refused", f"answered, and not stored: {reason}"
            if before and outcome[0] == "ok":
                self._same(act, outcome[1], *before[0])

    def audit(self) -> None:
        """The whole journal verifies, its replay is the tables, what is derived is right."""
        found = self.district.journal.verify()
        assert found.ok, (found.replayed[:3], found.derived[:3])
        assert found.journal.head == self.head, "somebody else wrote"
        self.ground.check()
        self.checks += 1
