"""The sync driver. `async_wire` does the same, and awaits where this one waits."""

from __future__ import annotations

import random as random_module
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from assetflow.errors import ConnectorError, InvalidValue
from assetflow.wire.auth import Token, TokenSource
from assetflow.wire.buckets import TokenBucket
from assetflow.wire.call import Call, Classifier, Flow, Listing, Page, Reply
from assetflow.wire.classify import classify_http
from assetflow.wire.driver import Driver, Pool, close_flow
from assetflow.wire.hooks import Hooks
from assetflow.wire.keeper import Held, Keeper
from assetflow.wire.policy import Limits, RetryPolicy
from assetflow.wire.settings import REQUEST_ID_HEADERS, make_settings
from assetflow.wire.traversal import Traversal

if TYPE_CHECKING:
    from typing import Self

    import httpx

    from assetflow.wire.run import CallRun
    from assetflow.wire.target import TargetRules

__all__ = ["Wire"]

T = TypeVar("T")


class Wire(Driver["httpx.Client", threading.Semaphore, Keeper]):
    """Makes calls and waits for them. One may be used by several threads at the same time.

    Args:
        base_url: The vendor's address, such as ``https://lincoln.jamfcloud.com/api``.
        connector: The connector's name, for errors, logs and hooks.
        tokens: Where credentials come from; [`NoAuth`][assetflow.wire.NoAuth] for none.
        classify: Judges answers; by HTTP status alone unless given.
        limits: Bounds of each call in seconds and bytes.
        retry: How often to try again, and after how many seconds.
        buckets: Rate limits by the bucket that a call names; a name that is not there has none.
        http_client: An `httpx.Client` of your own. It is used for every call, token calls
            included, and never closed.
        trust_env: Whether proxies come from the environment and the system's settings.
        target: Which addresses may be connected to, for calls whose target somebody else chose;
            all when not given. Without a proxy and a client of your own only: they would look
            the name up themselves.
        app_id: Who runs this, for the User-Agent, such as ``lincoln-portal/2.1``.
        hooks: Who is told of calls and retries.
        request_id_headers: Where this vendor puts its id of a request, the best first.
        clock: Seconds that never go back.
        sleep: Waits for some seconds.
        random: Gives a number from 0 up to, not including, 1.

    Raises:
        InvalidValue: An address, a name or a client that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connector: str,
        tokens: TokenSource,
        classify: Classifier = classify_http,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        buckets: Mapping[str, TokenBucket] | None = None,
        http_client: httpx.Client | None = None,
        trust_env: bool = False,
        target: TargetRules | None = None,
        app_id: str | None = None,
        hooks: Hooks | None = None,
        request_id_headers: tuple[str, ...] = REQUEST_ID_HEADERS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        from assetflow.wire import engine  # noqa: PLC0415 - httpx is loaded with the first driver

        settings = make_settings(
            base_url,
            connector=connector,
            classify=classify,
            limits=limits,
            retry=retry,
            buckets=buckets,
            app_id=app_id,
            hooks=hooks,
            request_id_headers=request_id_headers,
            clock=clock,
            random=random,
        )
        if http_client is not None and not isinstance(http_client, engine.Client):
            raise InvalidValue("http_client of a Wire is an httpx.Client")
        if target is not None and (trust_env or http_client is not None):
            raise InvalidValue("target rules hold without a proxy and a client of your own only")
        engine.install_filter()
        client = http_client or engine.make_client(trust_env=trust_env, rules=target)
        gate = None if http_client else threading.Semaphore(settings.limits.max_connections)
        super().__init__(
            settings,
            pool=Pool(client, gate, owned=http_client is None),
            tokens=tokens,
            new_keeper=lambda s: Keeper(clock=s.clock, skew=s.limits.token_skew),
        )
        self._engine = engine
        self._sleep = sleep
        self._warn_of_plain_http()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, of the copies too. A client of the caller's stays open."""
        if not self._pool.closed:
            self._pool.closed = True
            if self._pool.owned:
                self._pool.client.close()

    def send(self, call: Call) -> Reply:
        """Make one call, again if that is safe and may help.

        Raises:
            ConnectorError: What the vendor or the network made of it; see its subclasses.
            DeadlineExceeded: It did not end within ``limits.deadline``.
        """
        return self._carry(call)[1]

    def pages(
        self, listing: Listing[T], start: Call | None = None, *, age: float = 0.0
    ) -> Iterator[Page[T]]:
        """Walk through a listing page by page; nothing is fetched ahead.

        Args:
            listing: What to walk through.
            start: The call to begin with, from a checkpoint; the first by default.
            age: Seconds that the listing has lived already, when it goes on from a checkpoint.

        Raises:
            PageLoop: A page names one that came before it.
            ListingExpired: The listing is older than its ``max_age``.
            ConnectorError: A call failed, or a page could not be read.
        """
        walk = Traversal(listing, start, age=age, clock=self._settings.clock)
        while True:
            reply: Reply | None = None
            try:
                call = walk.upcoming()
                if call is None:
                    return
                made, reply = self._carry(call)
                page = listing.parse(made, reply.body)
                walk.took(made, page)
            except ConnectorError as error:
                self._name(error, listing.first.operation, reply)
                raise
            yield page

    def each(
        self, listing: Listing[T], start: Call | None = None, *, age: float = 0.0
    ) -> Iterator[T]:
        """The records of a listing, one by one; see [`pages`][assetflow.wire.Wire.pages]."""
        for page in self.pages(listing, start, age=age):
            yield from page.items

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end; it is closed however it ends.

        Raises:
            ConnectorError: A call failed and the flow did not handle it, or the flow made more
                than ``limits.max_steps`` calls.
        """
        return self._drive(flow, self.send)

    def _drive(self, flow: Flow[T], send: Callable[[Call], Reply]) -> T:
        step: Callable[[], Call] = partial(next, flow)
        try:
            for sent in range(self._settings.limits.max_steps + 1):
                try:
                    call = step()
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                if sent == self._settings.limits.max_steps:
                    break
                try:
                    step = partial(flow.send, send(call))
                except ConnectorError as error:
                    step = partial(flow.throw, error)
        finally:
            close_flow(flow)
        raise self._endless()

    def _carry(
        self, call: Call, *, until: float | None = None, for_token: bool = False
    ) -> tuple[Call, Reply]:
        run = self._new_run(call, until=until, for_token=for_token)
        # A new object for each call: tenacity keeps state in it.
        retrying = self._engine.Retrying(
            sleep=self._sleep,
            retry=run.again,
            wait=run.wait,
            before_sleep=run.before_wait,
            reraise=True,
        )
        try:
            reply = retrying(self._attempt, run)
        except BaseException as error:
            run.ended(error)
            raise
        run.ended(None)
        return run.call, reply

    def _attempt(self, run: CallRun) -> Reply:
        wait = run.begin()
        if wait > 0:
            self._sleep(wait)
        prepared = run.prepare(self._token(run))
        while True:
            raw = self._engine.exchange(self._pool.client, prepared, self._pool.gate)
            following = run.redirected(prepared, raw)
            if following is None:
                return run.settle(raw)
            prepared = following

    def _token(self, run: CallRun) -> Held | None:
        if run.for_token or self._anonymous:
            return None
        return self._keeper.get(
            partial(self._fetch, run), refused=run.refused_generation, remaining=run.remaining
        )

    def _fetch(self, run: CallRun) -> Token:
        def send(call: Call) -> Reply:
            return self._carry(call, until=run.until, for_token=True)[1]

        try:
            return self._drive(self._tokens.fetch(), send)
        except ConnectorError as error:
            self._name(error, "get-token")
            raise
