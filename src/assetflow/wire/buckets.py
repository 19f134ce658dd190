"""Token buckets: how fast calls may go out, decided before the vendor has to say no."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from assetflow.errors import InvalidValue

__all__ = ["TokenBucket"]


class TokenBucket:
    """Lets *rate* calls a second through, and up to *burst* at once.

    It never sleeps: [`reserve`][assetflow.wire.TokenBucket.reserve] takes a place in the line
    and says how long to wait for it, so one bucket serves threads and event loops alike, and may
    be shared by several clients of one account.

    Args:
        rate: Calls a second that the vendor allows, such as ``60 / 60`` for 60 a minute.
        burst: Calls that may go out at once after a pause.
        clock: Seconds that never go back.
    """

    def __init__(
        self, rate: float, burst: float = 1.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not rate > 0 or not burst >= 1:
            raise InvalidValue("a token bucket needs a rate above zero and a burst of at least 1")
        self._rate = float(rate)
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._level = self._burst
        self._at = clock()

    def __repr__(self) -> str:
        return f"TokenBucket(rate={self._rate:g}, burst={self._burst:g})"

    def reserve(self, within: float | None = None) -> tuple[bool, float]:
        """Take a place in the line.

        Args:
            within: Seconds that the caller can wait. A place further off is not taken, so a
                caller that gives up does not slow down the others.

        Returns:
            Whether the place was taken, and the seconds until it comes up (0 for at once).
        """
        with self._lock:
            now = self._clock()
            if now > self._at:
                self._level = min(self._burst, self._level + (now - self._at) * self._rate)
                self._at = now
            # After `hold` the bucket's own time lies ahead of the clock.
            wait = max(0.0, (1.0 - self._level) / self._rate) + (self._at - now)
            if within is not None and wait > within:
                return False, wait
            self._level -= 1.0
            return True, wait

    def hold(self, seconds: float) -> None:
        """Let nothing more through for that long, because the vendor asked for it.

        Args:
            seconds: What the vendor's ``Retry-After`` said.
        """
        with self._lock:
            now = self._clock()
            until = now + max(0.0, seconds)
            if until > self._at:
                self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
                # Places already given out stay given out; the rest start again one at a time.
                self._level = min(self._level, 1.0)
                self._at = until
