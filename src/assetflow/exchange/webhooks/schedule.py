"""When a delivery that failed is sent again: a pure decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attrs import field, frozen

from assetflow.errors import InvalidValue

__all__ = ["SCHEDULE", "Schedule"]

_MOST_ASKED = timedelta(hours=24)


def _known(_: object, __: object, value: tuple[timedelta, ...]) -> None:
    if any(delay < timedelta(0) for delay in value):
        raise InvalidValue("a delay is not below zero")


@frozen
class Schedule:
    """The waits between attempts.

    Raises:
        InvalidValue: a wait below zero.
    """

    delays: tuple[timedelta, ...] = field(validator=_known)
    """The wait after the first attempt, after the second, and so on; after the last is given up."""
    jitter: float = 0.2
    """Most that a random part adds, against its wait: those that failed together come apart."""

    def wait(
        self, attempts: int, *, random: Callable[[], float], asked: float | None = None
    ) -> timedelta | None:
        """How long to wait after a failed attempt; ``None`` to give up.

        Args:
            attempts: How many attempts failed, this one included.
            random: Gives a number from 0 up to, not including, 1.
            asked: Seconds that the receiver asked to wait; at most a day of it counts.
        """
        if attempts > len(self.delays):
            return None
        wait = self.delays[attempts - 1] * (1 + self.jitter * random())
        if asked is None:
            return wait
        return max(wait, min(timedelta(seconds=max(asked, 0.0)), _MOST_ASKED))


SCHEDULE = Schedule(
    (
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
        timedelta(hours=14),
        timedelta(hours=20),
        timedelta(hours=24),
    )
)
"""The example schedule of the Standard Webhooks specification 1.0.0: ten attempts in three days."""
