"""Keeps one driver's token, and lets one fetch serve everybody who waits for it.

Each token has a generation. A call that was refused says which generation it used; when a newer
one is there already it is handed out, so eight refusals make one fetch. A fetch that fails
reaches all who waited for it, once; whoever comes later starts a new one.
"""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from attrs import frozen

from assetflow.errors import ConnectorError, DeadlineExceeded
from assetflow.wire.auth import Token

__all__ = ["AsyncKeeper", "Held", "Keeper"]


@frozen
class Held:
    """A token in use."""

    token: Token
    """The token."""
    generation: int
    """How many tokens came before it."""
    renew_at: float | None
    """When to get the next one, by the driver's clock; ``None`` for never."""


# What a fetch came to: a token, its error, or nothing (its owner was cancelled or out of time).
_Landing = Held | ConnectorError | None


class _Shelf:
    def __init__(
        self, *, clock: Callable[[], float], skew: float, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._skew = skew
        self._held: Held | None = None

    def usable(self, refused: int | None) -> Held | None:
        held = self._held
        if held is None or (refused is not None and held.generation <= refused):
            return None
        if held.renew_at is not None and self._clock() >= held.renew_at:
            return None
        return held

    def put(self, token: Token, *, asked_at: float) -> Held:
        life = token.expires_in
        if life is None and token.expires_at is not None:
            life = token.expires_at.timestamp() - self._wall()
        # Some vendors' tokens live for a minute: a fixed margin would renew on every call.
        renew_at = None if life is None else asked_at + life - min(self._skew, 0.2 * life)
        generation = 0 if self._held is None else self._held.generation + 1
        self._held = Held(token, generation, renew_at)
        return self._held


def _waited_in_vain() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed while another call was getting the token")


class Keeper(_Shelf):
    """The token of a sync driver, shared by its threads."""

    def __init__(
        self, *, clock: Callable[[], float], skew: float, wall: Callable[[], float] = time.time
    ) -> None:
        super().__init__(clock=clock, skew=skew, wall=wall)
        self._lock = threading.Lock()
        self._flight: Future[_Landing] | None = None

    def get(
        self, fetch: Callable[[], Token], *, refused: int | None, remaining: Callable[[], float]
    ) -> Held:
        """A token that is good, as far as is known.

        Args:
            fetch: Gets a new one; called by one thread at a time.
            refused: The generation that the vendor refused, if it did.
            remaining: Seconds until the caller's deadline.

        Raises:
            ConnectorError: What the fetch failed with.
            DeadlineExceeded: Another thread's fetch took longer than this caller can wait.
        """
        while True:
            with self._lock:
                held = self.usable(refused)
                if held is not None:
                    return held
                flight = self._flight
                if flight is None:
                    mine = self._flight = Future()
                else:
                    mine = None
            if mine is not None:
                return self._fly(mine, fetch)
            assert flight is not None  # noqa: S101 - for the type checker: one of the two is there
            landing: _Landing
            try:
                landing = flight.result(timeout=max(0.0, remaining()))
            except TimeoutError:
                landing = _waited_in_vain()
            if isinstance(landing, Held):
                return landing
            if landing is not None:
                raise copy.copy(landing)  # a traceback belongs to one thread
            # Its owner gave up: look again, and take over.

    def _fly(self, flight: Future[_Landing], fetch: Callable[[], Token]) -> Held:
        landing: _Landing = None
        try:
            asked_at = self._clock()
            token = fetch()
            with self._lock:
                landing = self.put(token, asked_at=asked_at)
            return landing  # noqa: TRY300 - `finally` hands it to the waiters as well
        except DeadlineExceeded:  # the owner's time, not the waiters'
            raise
        except ConnectorError as error:
            landing = error
            raise
        finally:
            with self._lock:
                self._flight = None
            flight.set_result(landing)


class AsyncKeeper(_Shelf):
    """The token of an async driver, shared by the tasks of its event loop."""

    def __init__(
        self, *, clock: Callable[[], float], skew: float, wall: Callable[[], float] = time.time
    ) -> None:
        super().__init__(clock=clock, skew=skew, wall=wall)
        self._flight: asyncio.Future[_Landing] | None = None

    async def get(
        self,
        fetch: Callable[[], Awaitable[Token]],
        *,
        refused: int | None,
        remaining: Callable[[], float],
    ) -> Held:
        """A token that is good, as far as is known; see [`Keeper.get`][assetflow.wire.keeper.Keeper.get]."""
        while True:
            held = self.usable(refused)
            if held is not None:
                return held
            flight = self._flight
            if flight is None:
                flight = self._flight = asyncio.get_running_loop().create_future()
                return await self._fly(flight, fetch)
            # `wait`, since awaiting the future itself would cancel it with the first waiter.
            done, _ = await asyncio.wait({flight}, timeout=max(0.0, remaining()))
            landing: _Landing = flight.result() if done else _waited_in_vain()
            if isinstance(landing, Held):
                return landing
            if landing is not None:
                raise copy.copy(landing)

    async def _fly(
        self, flight: asyncio.Future[_Landing], fetch: Callable[[], Awaitable[Token]]
    ) -> Held:
        landing: _Landing = None
        try:
            asked_at = self._clock()
            landing = self.put(await fetch(), asked_at=asked_at)
            return landing  # noqa: TRY300 - `finally` hands it to the waiters as well
        except DeadlineExceeded:  # the owner's time, not the waiters'
            raise
        except ConnectorError as error:
            landing = error
            raise
        finally:
            self._flight = None
            flight.set_result(landing)
