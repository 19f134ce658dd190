"""Whether a call is made again, and when: pure decisions, the same for both drivers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from attrs import frozen

from assetflow.wire.call import Call, Verdict

if TYPE_CHECKING:
    from assetflow.wire.policy import RetryPolicy

__all__ = ["Again", "backoff", "decide", "retry_after"]


@frozen(kw_only=True)
class Again:
    """The decision to make a call once more."""

    call: Call
    """The call to make; a changed one when the verdict amended it."""
    wait: float
    """Seconds until then."""
    refresh: bool = False
    """Whether to get a fresh token first."""
    amended: bool = False
    """Whether the call was changed."""


def backoff(attempt: int, policy: RetryPolicy, random: Callable[[], float]) -> float:
    """Seconds to wait after a failed attempt: full jitter, capped.

    Args:
        attempt: The attempt that failed, counted from 1.
        policy: The bounds.
        random: Gives a number from 0 up to, not including, 1.
    """
    # Past 2**60 any cap is reached, and a float would overflow near 2**1024.
    widest = min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 60))
    return random() * widest


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for.

    RFC 9110, section 10.2.3: whole seconds, or an HTTP date.

    Args:
        value: The header, if the answer has one.
        now: The time to count a date from, with a time zone: best the answer's own ``Date``,
            since the clocks of the two machines may differ.

    Returns:
        ``None`` when the header is missing or unreadable: then back-off decides. A date that
        has passed gives 0.

    Example:
        >>> retry_after("120", now=datetime.now(UTC))
        120.0
    """
    if value is None:
        return None
    text = value.strip()
    # Not `float()`: that would also read "nan", "inf" and "1_0".
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:  # "-0000": UTC, source unknown
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def decide(
    call: Call,
    verdict: Verdict,
    *,
    attempt: int,
    remaining: float,
    policy: RetryPolicy,
    random: Callable[[], float],
    can_refresh: bool = False,
    can_amend: bool = False,
) -> Again | None:
    """Whether to make a call once more after an attempt that failed.

    Args:
        call: The call that was made.
        verdict: What the attempt came to.
        attempt: Its number, counted from 1.
        remaining: Seconds until the call's deadline.
        policy: How often and how long.
        random: Gives a number from 0 up to, not including, 1.
        can_refresh: A token went along, another can be had, and none was fetched for this call
            after a refusal yet.
        can_amend: The call was not amended yet.

    Returns:
        ``None`` when the verdict's error is final. It is also final when the wait would outlast
        the deadline: sleeping first could only turn a precise error into a vague one.
    """
    if verdict.refresh and can_refresh and remaining > 0:
        return Again(call=call, wait=0.0, refresh=True)
    if verdict.amend is not None and can_amend:
        wait = verdict.pause or 0.0
        if wait < remaining:
            return Again(call=verdict.amend, wait=wait, amended=True)
        return None
    if attempt >= policy.max_attempts or verdict.retry == "never":
        return None
    if verdict.retry == "idempotent" and not call.idempotent:
        return None
    if verdict.pause is not None:
        wait = verdict.pause
    elif verdict.retry_after:
        wait = verdict.retry_after
    else:  # no header, or one that says "now": a hot loop helps nobody
        wait = backoff(attempt, policy, random)
    return Again(call=call, wait=wait) if wait < remaining else None
