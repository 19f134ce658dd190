"""How long, how large and how often: the bounds of a call, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from assetflow.errors import InvalidValue

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["Limits", "RetryPolicy"]

_MIB = 1024 * 1024


def _above_zero(_instance: object, attribute: Attribute[Any], value: float) -> None:
    # `not >` also refuses a NaN, which would switch a limit off.
    if isinstance(value, bool) or not value > 0:
        raise InvalidValue(f"{attribute.name} must be above zero")


def _not_below_zero(_instance: object, attribute: Attribute[Any], value: float) -> None:
    if isinstance(value, bool) or not value >= 0:
        raise InvalidValue(f"{attribute.name} must not be below zero")


@frozen(kw_only=True)
class Limits:
    """What one call may cost. Times are seconds, sizes are bytes."""

    deadline: float = field(default=180.0, validator=_above_zero)
    """Seconds for the whole call: waiting for the quota, a token, every attempt, every pause."""
    timeout: float = field(default=60.0, validator=_above_zero)
    """Seconds that one read or write may take; a vendor that answers slowly needs more."""
    connect_timeout: float = field(default=10.0, validator=_above_zero)
    """Seconds to make a connection, TLS included."""
    max_wire_bytes: int = field(default=32 * _MIB, validator=_above_zero)
    """Bytes of a body as it arrives, still compressed."""
    max_body_bytes: int = field(default=128 * _MIB, validator=_above_zero)
    """Bytes of a body after inflating."""
    max_connections: int = field(default=10, validator=_above_zero)
    """Connections that one client opens at the same time; set when the client is made."""
    max_redirects: int = field(default=3, validator=_not_below_zero)
    """Redirects of one GET that are followed, within the same host."""
    max_steps: int = field(default=1000, validator=_above_zero)
    """Calls that one flow may make."""
    token_skew: float = field(default=60.0, validator=_not_below_zero)
    """Seconds before its end at which a token is renewed; at most a fifth of its life."""


@frozen(kw_only=True)
class RetryPolicy:
    """When to try again, and how long to wait. Times are seconds.

    The wait is *full jitter*: a random part of ``base * 2 ** (attempt - 1)``, capped. Many
    clients that failed together do not come back together.
    """

    max_attempts: int = field(default=5, validator=_above_zero)
    """How often a call is made at most; 1 never tries again."""
    base: float = field(default=0.5, validator=_not_below_zero)
    """The longest wait after the first attempt."""
    cap: float = field(default=30.0, validator=_not_below_zero)
    """The longest wait after any attempt. A wait that the vendor asks for is not capped."""
