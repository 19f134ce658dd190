"""Times two things in turn, pair by pair, and says how they compare.

A machine that is busy with something else slows both halves of a pair alike, so the ratio of a
pair means more than either time, and the median of several ratios more than any one of them.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Compared", "Line", "Missing", "Ready", "Target", "compare", "micros", "once", "timed"]

Clock = Callable[[], float]
Ready = Callable[[int], Callable[[], object]]
"""Prepares one run, given its number, and gives what is to be timed."""


class Missing(Exception):
    """A peer is not installed, so its row is left out, visibly."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio should be."""

    value: float
    at_least: bool = False
    """The larger the better: how many times faster; else how many times the peer's cost."""

    def met(self, ratio: float) -> bool:
        return ratio >= self.value if self.at_least else ratio <= self.value

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.value:g}x"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the output."""

    name: str
    figure: str
    """What the library took."""
    peer: str
    """What it is compared with, and what that took."""
    ratio: float | None = None
    target: Target | None = None
    skipped: bool = False

    @property
    def state(self) -> str:
        if self.skipped:
            return "skipped"
        if self.target is None or self.ratio is None:
            return "reported"
        return "ok" if self.target.met(self.ratio) else "short"


@dataclass(frozen=True, slots=True)
class Compared:
    """Seconds of both, run by run."""

    subject: Sequence[float]
    peer: Sequence[float]

    @property
    def cost(self) -> float:
        """How many times the peer's cost the subject has: the median over the pairs."""
        return statistics.median(s / p for s, p in zip(self.subject, self.peer, strict=True))

    @property
    def faster(self) -> float:
        """How many times faster than the peer the subject is."""
        return 1 / self.cost

    @property
    def took(self) -> float:
        """The subject's median."""
        return statistics.median(self.subject)

    @property
    def peer_took(self) -> float:
        """The peer's median."""
        return statistics.median(self.peer)


def timed(run: Callable[[], object], clock: Clock = time.process_time) -> float:
    """Seconds that one run takes.

    The collector stays on, since whoever uses the library leaves it on; but what was there before
    is taken out of its sight, so that neither half pays for the objects of other rows.
    """
    gc.collect()
    gc.freeze()
    begun = clock()
    run()
    return clock() - begun


def once(run: Callable[[], object]) -> Ready:
    """Something that needs no preparation."""
    return lambda _number: run


def compare(
    subject: Ready,
    peer: Ready,
    *,
    rounds: int,
    clock: Clock = time.process_time,
    warm: int = 1,
) -> Compared:
    """Time both in turn. Who begins alternates; the first *warm* pairs are not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    pair = [(0, subject), (1, peer)]
    try:
        for number in range(warm + rounds):
            for side, ready in pair if number % 2 else pair[::-1]:
                took = timed(ready(number), clock)
                if number >= warm:
                    times[side].append(took)
    finally:
        gc.unfreeze()
    return Compared(*times)


def micros(seconds: float, count: int = 1) -> str:
    """Microseconds for each of *count*, with as many digits as mean something."""
    each = seconds / count * 1e6
    return f"{each / 1000:.3g} ms" if each >= 1_000 else f"{each:.3g} us"
