"""The life of one call: what both drivers do in the same way, without doing any I/O.

A driver makes a [`CallRun`][assetflow.wire.run.CallRun], hands its decisions to tenacity, and
between them only waits, gets tokens and exchanges bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.errors import (
    AssetflowError,
    ConnectorError,
    DeadlineExceeded,
    RateLimited,
    RedirectRefused,
)
from assetflow.wire.address import next_hop
from assetflow.wire.call import Call, Classifier, Reply, Verdict
from assetflow.wire.hooks import CallEvent, RetryEvent, tell
from assetflow.wire.logs import logger
from assetflow.wire.prepared import Budget, Prepared, Raw, headers_for
from assetflow.wire.redact import safe_id
from assetflow.wire.retry import Again, decide
from assetflow.wire.settings import Settings, complete

if TYPE_CHECKING:
    import tenacity

    from assetflow.wire.keeper import Held

__all__ = ["CallRun"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class CallRun:
    """One call from its first attempt to its last."""

    def __init__(
        self,
        settings: Settings,
        call: Call,
        *,
        classify: Classifier,
        until: float | None = None,
        for_token: bool = False,
        can_refresh: bool = False,
    ) -> None:
        self.call: Call = call
        """The call as it is made next; another one once a verdict amended it."""
        self.settings = settings
        self.for_token = for_token
        """Whether the call gets a token, and so carries none."""
        self.used: Held | None = None
        """The token that went along with the last attempt."""
        self.refused: Held | None = None
        """The token that the vendor did not accept."""
        self._classify = classify
        self._can_refresh = can_refresh
        self._can_amend = True
        self._started = settings.clock()
        self.until: float = self._started + settings.limits.deadline if until is None else until
        """The deadline, by the driver's clock."""
        self._attempts = 0
        self._again: Again | None = None
        self._request_id: str | None = None
        self._status: int | None = None
        self._hops = 0
        self._sizes = (0, 0)
        self._last_error: ConnectorError | None = None

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.until - self.settings.clock()

    @property
    def refused_generation(self) -> int | None:
        """The generation of the token that the vendor did not accept."""
        return None if self.refused is None else self.refused.generation

    def begin(self) -> float:
        """Start an attempt.

        Returns:
            Seconds to wait for a place in the call's bucket.

        Raises:
            DeadlineExceeded: There is no time left.
            RateLimited: The place in the bucket comes up after the deadline.
        """
        self._again = None
        self._attempts += 1
        self._hops = 0
        remaining = self._time_left()
        bucket = self.settings.buckets.get(self.call.bucket)
        if bucket is None:
            return 0.0
        taken, wait = bucket.reserve(within=remaining)
        if not taken:
            raise self._known(
                RateLimited(
                    "the call's own rate limit leaves no place before its deadline",
                    retry_after=wait,
                    bucket=self.call.bucket,
                )
            )
        return wait

    def prepare(self, held: Held | None) -> Prepared:
        """The request of this attempt.

        Raises:
            DeadlineExceeded: There is no time left.
            ConnectorError: The renewed token is the one that was refused.
        """
        self._time_left()
        refused, error = self.refused, self._last_error
        if held is not None and refused is not None and held.token.value == refused.token.value:
            # The source has no other token, so the answer would be the same.
            raise error or _late()
        url = self.settings.base.resolve(self.call, for_token=self.for_token)
        if isinstance(url, AssetflowError):
            raise self._known(url) if isinstance(url, ConnectorError) else url
        self.used = held
        headers = headers_for(
            self.call, None if held is None else held.token, self.settings.user_agent
        )
        authorised = held is not None or "authorization" in headers
        return self._prepared(url, tuple(headers.items()), authorised=authorised)

    def redirected(self, prepared: Prepared, raw: Raw | Verdict) -> Prepared | None:
        """The request to follow a redirect with; ``None`` when the answer is none.

        Raises:
            RedirectRefused: It leads to another host, or one too many.
        """
        if isinstance(raw, Verdict) or raw.fault is not None or raw.status not in _REDIRECTS:
            return None
        self._note(raw)
        self._time_left()
        self._hops += 1
        url = next_hop(prepared.method, prepared.url, raw.headers.get("location"))
        if isinstance(url, str) and self._hops > self.settings.limits.max_redirects:
            url = RedirectRefused("the server redirects without end")
        if isinstance(url, RedirectRefused):
            raise self._known(url)
        return self._prepared(url, prepared.headers, authorised=prepared.authorised)

    def settle(self, raw: Raw | Verdict) -> Reply:
        """Judge what an attempt came to.

        Raises:
            ConnectorError: It did not go well; whether it is made again is decided by now.
        """
        if isinstance(raw, Verdict):
            self._status = None
            raise self._decided(raw)
        self._note(raw)
        if raw.fault is not None:
            raise self._decided(raw.fault)
        reply = Reply(
            status=raw.status,
            headers=raw.headers,
            body=raw.body,
            request_id=self._request_id,
            elapsed=self.settings.clock() - self._started,
        )
        verdict = self._classify(self.call, reply, self._attempts)
        if verdict is not None:
            raise self._decided(verdict)
        return reply

    def again(self, state: tenacity.RetryCallState) -> bool:
        """Whether tenacity should go on; only a decision of ours makes it."""
        del state
        return self._again is not None

    def wait(self, state: tenacity.RetryCallState) -> float:
        """How long tenacity should wait."""
        del state
        return 0.0 if self._again is None else self._again.wait

    def before_wait(self, state: tenacity.RetryCallState) -> None:
        """Say that the call is made again, and change what is made."""
        del state
        again, error = self._again, self._last_error
        if again is None or error is None:
            return
        logger.info(
            "%s %s: %s, again in %.2f s (attempt %d, request %s)",
            self.settings.connector, self.call.operation, error.code, again.wait, self._attempts,
            self._request_id,
        )  # fmt: skip
        tell(
            self.settings.hooks.on_retry,
            RetryEvent(
                connector=self.settings.connector,
                operation=self.call.operation,
                attempt=self._attempts,
                wait=again.wait,
                error=error.code,
                status=self._status,
                request_id=self._request_id,
            ),
        )
        self.call = again.call
        if again.refresh:
            self.refused, self._can_refresh = self.used, False
        if again.amended:
            self._can_amend = False

    def ended(self, error: BaseException | None) -> None:
        """Say that the call ended."""
        code = None
        if error is not None:
            code = error.code if isinstance(error, ConnectorError) else type(error).__name__
        elapsed = self.settings.clock() - self._started
        logger.debug(
            "%s %s: %s in %.3f s (attempts %d, status %s, %d bytes, request %s)",
            self.settings.connector, self.call.operation, code or "ok", elapsed, self._attempts,
            self._status, self._sizes[0], self._request_id,
        )  # fmt: skip
        if self.settings.hooks.on_call is None:
            return
        event = CallEvent(
            connector=self.settings.connector,
            operation=self.call.operation,
            status=self._status,
            attempts=self._attempts,
            elapsed=elapsed,
            wire_bytes=self._sizes[0],
            body_bytes=self._sizes[1],
            request_id=self._request_id,
            error=code,
        )
        tell(self.settings.hooks.on_call, event)

    def _decided(self, verdict: Verdict) -> ConnectorError:
        error = self._known(verdict.error)
        if isinstance(error, RateLimited):
            if error.retry_after is None:
                error.retry_after = verdict.retry_after
            bucket = self.settings.buckets.get(self.call.bucket)
            if bucket is not None and error.retry_after:
                bucket.hold(error.retry_after)
        self._last_error = error
        self._again = decide(
            self.call,
            verdict,
            attempt=self._attempts,
            remaining=self.remaining(),
            policy=self.settings.retry,
            random=self.settings.random,
            can_refresh=self._can_refresh and self.used is not None,
            can_amend=self._can_amend,
        )
        return error

    def _prepared(
        self, url: str, headers: tuple[tuple[str, str], ...], *, authorised: bool
    ) -> Prepared:
        limits, clock = self.settings.limits, self.settings.clock
        return Prepared(
            method=self.call.method,
            url=url,
            headers=headers,
            body=self.call.body,
            limits=limits,
            read=Budget(limits.timeout, self.until, clock),
            connect=Budget(limits.connect_timeout, self.until, clock),
            authorised=authorised,
        )

    def _note(self, raw: Raw) -> None:
        self._status = raw.status
        self._sizes = (raw.wire_bytes, len(raw.body))
        found = (safe_id(raw.headers.get(h)) for h in self.settings.request_id_headers)
        # The id of an earlier attempt is better than none, should this one bring none.
        self._request_id = next((i for i in found if i is not None), self._request_id)

    def _time_left(self) -> float:
        remaining = self.remaining()
        if remaining <= 0:
            raise self._known(_late())
        return remaining

    def _known(self, error: ConnectorError) -> ConnectorError:
        return complete(
            error,
            connector=self.settings.connector,
            operation=self.call.operation,
            status=self._status,
            request_id=self._request_id,
            attempts=self._attempts,
        )


def _late() -> DeadlineExceeded:
    return DeadlineExceeded("the call did not end within its deadline")
