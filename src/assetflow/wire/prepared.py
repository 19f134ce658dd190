"""A request that is ready to be sent, the answer as it came, and the time that is left between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from assetflow.wire.auth import Token
from assetflow.wire.call import Call, Verdict
from assetflow.wire.policy import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Budget", "Prepared", "Raw", "headers_for"]


class Budget(float):
    """A timeout in seconds that knows when the whole call must end.

    As a plain number it is what was left when it was made, so any HTTP client can use it.
    """

    __slots__ = ("_clock", "_limit", "_until")

    _limit: float
    _until: float
    _clock: Callable[[], float]

    def __new__(cls, limit: float, until: float, clock: Callable[[], float]) -> Self:
        # Never 0: to a socket that means "do not wait", and raises another error.
        self = super().__new__(cls, max(0.001, min(limit, until - clock())))
        self._limit = limit
        self._until = until
        self._clock = clock
        return self

    def left(self) -> float:
        """Seconds that the next wait may take; 0 or less when the deadline has passed."""
        return min(self._limit, self._until - self._clock())

    def until_deadline(self) -> float:
        """Seconds until the deadline, whatever one wait may take."""
        return self._until - self._clock()


@frozen(kw_only=True)
class Prepared:
    """A request that is ready to be sent. It holds secrets, and its ``repr`` shows none."""

    method: str
    """HTTP method."""
    url: str = field(repr=False)
    """The full address."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """All headers that the driver sets."""
    body: bytes | None = field(repr=False)
    """The body."""
    limits: Limits
    """The byte caps."""
    read: Budget
    """Seconds for one read, write or wait for a free connection, bounded by the deadline."""
    connect: Budget
    """Seconds for a connection, bounded by the deadline."""
    authorised: bool
    """Whether credentials of ours are among the headers."""

    def late(self) -> bool:
        """Whether the deadline has passed, or is so near that a wait ended by it."""
        return self.read.until_deadline() <= 0.01


@frozen(kw_only=True)
class Raw:
    """An answer as it came, read to its end unless it has a fault."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """Response headers, names in lower case."""
    body: bytes = field(repr=False)
    """The inflated body."""
    wire_bytes: int
    """Bytes of the body as it arrived."""
    fault: Verdict | None = None
    """What broke while the body was read; the body is empty then."""


def headers_for(call: Call, token: Token | None, user_agent: str) -> dict[str, str]:
    """The headers of a call, names in lower case; the token's own come last and win.

    They hold secrets: keep them in no frame that raises.
    """
    headers = {
        "accept": "application/json",
        "accept-encoding": "gzip",
        "user-agent": user_agent,
    }
    if call.content_type is not None:
        headers["content-type"] = call.content_type
    headers |= {name.lower(): value for name, value in call.headers}
    if token is not None:
        headers |= {name.lower(): value for name, value in token.headers()}
    return headers
