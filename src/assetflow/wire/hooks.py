"""What a program may listen to: each call that ended, each attempt that is repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from assetflow.wire.logs import logger

__all__ = ["CallEvent", "Hooks", "RetryEvent", "tell"]

E_contra = TypeVar("E_contra", contravariant=True)


@frozen(kw_only=True)
class CallEvent:
    """A call that ended, well or not. Nothing in it names a person or an address."""

    connector: str
    """The connector's name."""
    operation: str
    """The call's name."""
    status: int | None
    """The last HTTP status; ``None`` when no answer came."""
    attempts: int
    """How often the call was made."""
    elapsed: float
    """Seconds from the start to the end, waits included."""
    wire_bytes: int
    """Bytes of the last body as it arrived."""
    body_bytes: int
    """Bytes of the last body after inflating."""
    request_id: str | None
    """The vendor's id of the last request."""
    error: str | None
    """The error's code, such as ``rate-limited``; ``None`` when the call went well."""


@frozen(kw_only=True)
class RetryEvent:
    """An attempt that failed and is made again."""

    connector: str
    """The connector's name."""
    operation: str
    """The call's name."""
    attempt: int
    """The attempt that failed, counted from 1."""
    wait: float
    """Seconds until the next attempt."""
    error: str
    """The code of the error that the attempt met."""
    status: int | None
    """The HTTP status, when there was an answer."""
    request_id: str | None
    """The vendor's id of the request."""


@frozen(kw_only=True)
class Hooks:
    """Functions that are told what happens, for metrics and progress.

    They run in the thread or event loop of the call, so they must be quick and must not block.
    What they raise is logged and goes no further.
    """

    on_call: Callable[[CallEvent], None] | None = None
    """Told of each call that ended, token calls included."""
    on_retry: Callable[[RetryEvent], None] | None = None
    """Told before each repetition, ahead of its wait."""


def tell(hook: Callable[[E_contra], None] | None, event: E_contra) -> None:
    """Call a hook, if there is one; its failure must not become the call's."""
    if hook is None:
        return
    try:
        hook(event)
    except Exception:  # noqa: BLE001 - somebody else's code, whatever it raises
        logger.exception("a hook failed on %s", type(event).__name__)
