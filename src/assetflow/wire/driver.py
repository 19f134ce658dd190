"""What the two drivers have in common: how they are made, copied and named. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import define, evolve

from assetflow.errors import ConfigError, ConnectorError
from assetflow.wire.address import Base
from assetflow.wire.auth import NoAuth, StaticToken, TokenSource
from assetflow.wire.buckets import TokenBucket
from assetflow.wire.call import Call, Classifier, Flow, Reply
from assetflow.wire.classify import classify_token
from assetflow.wire.hooks import Hooks
from assetflow.wire.logs import logger
from assetflow.wire.policy import Limits, RetryPolicy
from assetflow.wire.run import CallRun
from assetflow.wire.settings import Settings, complete, user_agent

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Driver", "Pool", "close_flow"]

ClientT = TypeVar("ClientT")
GateT = TypeVar("GateT")
KeeperT = TypeVar("KeeperT")


@define
class Pool(Generic[ClientT, GateT]):
    """The HTTP client that a driver and its copies use."""

    client: ClientT
    """The client."""
    gate: GateT | None
    """Lets as many calls through as there may be connections; a caller's client sees to that."""
    owned: bool
    """Whether the driver made it, and so closes it."""
    closed: bool = False
    """Whether it was given up."""


class Driver(Generic[ClientT, GateT, KeeperT]):
    """A driver without its I/O."""

    def __init__(
        self,
        settings: Settings,
        *,
        pool: Pool[ClientT, GateT],
        tokens: TokenSource,
        new_keeper: Callable[[Settings], KeeperT],
        keeper: KeeperT | None = None,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._tokens = tokens
        self._new_keeper = new_keeper
        self._keeper = new_keeper(settings) if keeper is None else keeper
        self._anonymous = isinstance(tokens, NoAuth)
        self._can_refresh = not isinstance(tokens, NoAuth | StaticToken)
        self._classify_token: Classifier = getattr(tokens, "classify", classify_token)

    def _warn_of_plain_http(self) -> None:
        if self._settings.base.in_clear and not self._anonymous:
            logger.warning(
                "%s: the address is not https, so the credentials can be read on the way",
                self._settings.connector,
            )

    def __repr__(self) -> str:
        settings = self._settings
        return f"<{type(self).__name__} {settings.connector} {settings.base.address}>"

    @property
    def connector(self) -> str:
        """The connector's name, as errors and logs show it."""
        return self._settings.connector

    @property
    def limits(self) -> Limits:
        """The bounds of each call."""
        return self._settings.limits

    def with_options(
        self,
        *,
        base_url: str | None = None,
        connector: str | None = None,
        tokens: TokenSource | None = None,
        classify: Classifier | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        buckets: Mapping[str, TokenBucket] | None = None,
        hooks: Hooks | None = None,
        app_id: str | None = None,
    ) -> Self:
        """A copy with some things changed that shares the connections.

        The token is shared too unless *tokens* is given: also when *base_url* names another
        host, which is how one account's several services are reached. Closing any of the copies
        closes the connections of all.

        Args:
            base_url: Another base address.
            connector: Another name in errors and logs.
            tokens: Another source of tokens.
            classify: Another judge of answers.
            limits: Other bounds; ``max_connections`` stays as it was made.
            retry: Another retry policy.
            buckets: Other rate limits.
            hooks: Other listeners.
            app_id: Another name in the User-Agent.
        """
        changed: dict[str, Any] = {
            "base": None if base_url is None else Base(base_url),
            "connector": connector,
            "classify": classify,
            "limits": limits,
            "retry": retry,
            "buckets": buckets,
            "hooks": hooks,
            "user_agent": None if app_id is None else user_agent(app_id),
        }
        settings = evolve(
            self._settings,
            **{name: value for name, value in changed.items() if value is not None},
        )
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        Driver.__init__(
            copy,
            settings,
            pool=self._pool,
            tokens=self._tokens if tokens is None else tokens,
            new_keeper=self._new_keeper,
            keeper=self._keeper if tokens is None else None,
        )
        if base_url is not None:
            copy._warn_of_plain_http()  # noqa: SLF001 - it is one of us
        return copy

    def _new_run(self, call: Call, *, until: float | None, for_token: bool) -> CallRun:
        if self._pool.closed:
            raise ConfigError(
                "the driver is closed", hint="Use it inside its `with` block, or make a new one."
            )
        return CallRun(
            self._settings,
            call,
            classify=self._classify_token if for_token else self._settings.classify,
            until=until,
            for_token=for_token,
            can_refresh=self._can_refresh and not for_token,
        )

    def _name(self, error: ConnectorError, operation: str, reply: Reply | None = None) -> None:
        """Fill in an error that a connector's own code raised."""
        complete(
            error,
            connector=self._settings.connector,
            operation=operation,
            status=None if reply is None else reply.status,
            request_id=None if reply is None else reply.request_id,
        )

    def _endless(self) -> ConnectorError:
        return complete(
            ConnectorError(f"a flow did not end within {self._settings.limits.max_steps} calls"),
            connector=self._settings.connector,
            operation="flow",
        )


def close_flow(flow: Flow[object]) -> None:
    """Close a flow, whatever it does about it.

    One that yields in ``finally`` refuses to close. Its error must not take the place of the one
    that ended it, least of all of a cancellation.
    """
    try:
        flow.close()
    except RuntimeError:
        logger.error("a flow yields in `finally`; see assetflow.testing.flows")
