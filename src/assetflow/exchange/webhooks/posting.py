"""One attempt: a body from the journal, signed, sent to a checked address; what came of it.

An attempt is one call without redirects, repetitions, cookies or proxies, and within one
deadline. Whatever the receiver says beyond its status is not read past a cap and not kept.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from assetflow.codec import encode_plain
from assetflow.errors import ConfigError, ConnectorError
from assetflow.wire import (
    Call,
    Limits,
    NoAuth,
    Reply,
    RetryPolicy,
    Secret,
    TargetRules,
    Verdict,
    Wire,
    sign_webhook,
    wait_asked,
)

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.model import Webhook

__all__ = [
    "BATCH",
    "DEADLINE",
    "SINGLE",
    "Answer",
    "Message",
    "Postbox",
    "SecretSource",
    "environment_secret",
]

SINGLE = "application/cloudevents+json"
"""Content type of one event."""
BATCH = "application/cloudevents-batch+json"
"""Content type of several events in an array."""
DEADLINE = 20.0
"""Seconds that an attempt may take. The specification recommends 15 to 30."""
_MOST_ANSWER = 64 * 1024
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

SecretSource = Callable[[str], Secret | str]
"""Fetches a signing secret from where it is kept, by the name that a webhook has for it."""


def environment_secret(name: str, *, environ: Mapping[str, str] | None = None) -> Secret:
    """The secret that a name such as ``${PORTAL_SECRET}`` leads to.

    Args:
        name: The name as the webhook has it.
        environ: The environment; the process's own when not given.

    Raises:
        ConfigError: the variable is not set, or the name is of another kind.
    """
    found = _VARIABLE.fullmatch(name)
    if found is None:
        hint = "Give deliver() a function for it: secrets=lambda name: ..."
        raise ConfigError("a signing secret is not kept in the environment", hint=hint)
    value = (os.environ if environ is None else environ).get(found[1])
    if not value:
        msg = f"the variable {found[1]}, with a signing secret in it, is not set"
        raise ConfigError(msg, hint=f"Set {found[1]} in the environment of the job.")
    return Secret(value)


@frozen(kw_only=True)
class Message:
    """What is sent: the same at each attempt, but for the time and the signature."""

    id: str
    """The ``webhook-id`` header."""
    body: bytes
    """The body."""
    content_type: str
    """Its media type."""

    @classmethod
    def of(cls, message_id: str, events: Sequence[Mapping[str, Any]]) -> Message:
        """A message with one event, or with several as a batch."""
        if len(events) == 1:
            return cls(id=message_id, body=encode_plain(events[0]), content_type=SINGLE)
        return cls(id=message_id, body=encode_plain(list(events)), content_type=BATCH)


@frozen(kw_only=True)
class Answer:
    """What came of an attempt."""

    status: int | None
    """HTTP status, if there was an answer."""
    error: str | None
    """Code of what went wrong; ``None`` when it arrived."""
    asked_to_wait: float | None = None
    """Seconds that the receiver asked to wait."""
    seconds: float = 0.0
    """How long it took."""

    @property
    def arrived(self) -> bool:
        """Whether the receiver took it: any status from 200 to 299."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more of them: 410."""
        return self.status == 410

    @property
    def busy(self) -> bool:
        """Whether the receiver is under load, and other calls should wait as well."""
        return self.status in {429, 502, 504} or bool(self.asked_to_wait)


def _take(_call: Call, _reply: Reply, _attempt: int, /) -> Verdict | None:
    """Every status is an answer here, not an error."""
    return None


class Postbox:
    """The connections to one webhook's receiver. May be used from several threads.

    Args:
        webhook: The webhook.
        keys: Its signing secrets, the newest first.
        rules: What is admitted beyond https to public addresses.
        clock: Tells the time, in UTC.
        timeout: Seconds that an attempt may take.
        app_id: Who sends this, for the User-Agent.

    Raises:
        InvalidValue: a secret that is none, or an address that the rules do not admit.
    """

    def __init__(
        self,
        webhook: Webhook,
        keys: Sequence[Secret | str],
        *,
        rules: TargetRules,
        clock: Callable[[], datetime],
        timeout: float = DEADLINE,
        app_id: str | None = None,
    ) -> None:
        self.webhook = webhook
        self._keys = tuple(keys)
        self._clock = clock
        sign_webhook(b"", message_id="probe", timestamp=0, secrets=self._keys)  # now, not later
        self._wire = Wire(
            rules.origin_of(webhook.url),
            connector="webhook",
            tokens=NoAuth(),
            classify=_take,
            limits=Limits(
                deadline=timeout,
                timeout=timeout,
                connect_timeout=timeout,
                max_wire_bytes=_MOST_ANSWER,
                max_body_bytes=_MOST_ANSWER,
                max_redirects=0,
            ),
            retry=RetryPolicy(max_attempts=1),
            target=rules,
            app_id=app_id,
        )

    def post(self, message: Message) -> Answer:
        """Make one attempt. Never raises what the network did."""
        began = time.monotonic()
        try:
            reply = self._wire.send(self._call(message))
        except ConnectorError as error:
            # The status decides. A body that is too long or too slow comes after it.
            code, status, asked = error.code, error.status, None
        else:
            code, status, asked = "http-status", reply.status, wait_asked(reply.headers)
        return Answer(
            status=status,
            error=None if status is not None and 200 <= status < 300 else code,
            asked_to_wait=asked,
            seconds=time.monotonic() - began,
        )

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _call(self, message: Message) -> Call:
        timestamp = int(self._clock().timestamp())
        signature = sign_webhook(
            message.body, message_id=message.id, timestamp=timestamp, secrets=self._keys
        )
        return Call(
            method="POST",
            path=self.webhook.url,
            operation="deliver-webhook",
            headers=(
                ("webhook-id", message.id),
                ("webhook-timestamp", str(timestamp)),
                ("webhook-signature", signature),
            ),
            body=message.body,
            content_type=message.content_type,
            idempotent=False,
        )
