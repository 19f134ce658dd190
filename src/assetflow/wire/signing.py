"""Signatures of webhooks, as the Standard Webhooks specification 1.0.0 has them.

The text ``{id}.{timestamp}.{body}`` is signed with HMAC-SHA256. While a secret is being replaced
the sender signs with both, and the header has both signatures, so that a receiver may change
over at any moment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from assetflow.errors import InvalidValue, SignatureInvalid
from assetflow.wire.auth import Secret

__all__ = [
    "TOLERANCE",
    "ReceivedWebhook",
    "new_webhook_secret",
    "sign_webhook",
    "verify_webhook",
]

TOLERANCE = 300.0
"""Seconds by which the clocks of sender and receiver may differ."""
_PREFIX = "whsec_"
_LEAST, _MOST = 24, 64  # bytes: "at least 24 bytes (192 bits, 512 maximum)"
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")  # a full stop would let parts run together
_SECONDS = re.compile(r"[0-9]{1,12}")


class Headers(Protocol):
    """Headers as any web framework gives them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Names and values."""


def new_webhook_secret(*, entropy: Callable[[int], bytes] = os.urandom) -> Secret:
    """A new signing secret: ``whsec_`` and 32 random bytes.

    Args:
        entropy: Makes random bytes.
    """
    return Secret(_PREFIX + base64.b64encode(entropy(32)).decode())


def sign_webhook(
    body: bytes, *, message_id: str, timestamp: int, secrets: Sequence[Secret | str]
) -> str:
    """The ``webhook-signature`` header: a signature for each secret, spaces between.

    Args:
        body: The body as it is sent.
        message_id: The ``webhook-id`` header.
        timestamp: The ``webhook-timestamp`` header: seconds since 1970 of this attempt.
        secrets: The signing secrets, the newest first.

    Raises:
        InvalidValue: no secret, one that is none, or an id with a full stop in it.
    """
    if not _MESSAGE_ID.fullmatch(message_id):
        raise InvalidValue("a webhook's id has letters, digits, _ and - only")
    signatures = [_signature(key, message_id, str(timestamp), body) for key in _keys(secrets)]
    return " ".join(f"v1,{base64.b64encode(s).decode()}" for s in signatures)


@frozen(kw_only=True)
class ReceivedWebhook:
    """A webhook whose sender is proved."""

    id: str
    """The same at each attempt: keep it, and answer 200 to one that you have had."""
    sent_at: int
    """When this attempt was made, in seconds since 1970."""
    body: bytes = field(repr=False)
    """The body as it came."""

    @property
    def events(self) -> tuple[Mapping[str, Any], ...]:
        """The CloudEvents in it: one, or those of a batch in their order.

        Raises:
            InvalidValue: the body is not JSON of that shape.
        """
        try:
            said = json.loads(self.body)
        except (ValueError, RecursionError):
            said = None
        found = said if isinstance(said, list) else [said]
        if not all(isinstance(event, dict) for event in found):
            raise InvalidValue("the body holds no events")
        return tuple(found)


def verify_webhook(
    body: bytes,
    headers: Headers,
    *,
    secrets: Secret | str | Sequence[Secret | str],
    tolerance: float = TOLERANCE,
    now: Callable[[], float] = time.time,
) -> ReceivedWebhook:
    """Prove that a webhook comes from who has the secret, and was sent just now.

    Args:
        body: The body's bytes as they came: parsed and written anew they are others.
        headers: The request's headers; the letter case of names does not count.
        secrets: The signing secret; several while it is being replaced.
        tolerance: Seconds by which the sender's clock may differ from this one.
        now: Seconds since 1970.

    Raises:
        SignatureInvalid: a header is missing, it is too old or from the future, or no signature
            fits. Answer 401.
        InvalidValue: a secret of your own that is none.
    """
    keys = _keys([secrets] if isinstance(secrets, Secret | str) else secrets)
    found = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = found["webhook-id"], found["webhook-timestamp"]
        offered = found["webhook-signature"].split(" ")
    except KeyError:
        raise SignatureInvalid("a webhook-... header is missing") from None
    if not _SECONDS.fullmatch(timestamp) or not _MESSAGE_ID.fullmatch(message_id):
        raise SignatureInvalid("the webhook's id or timestamp cannot be what it should be")
    if abs(now() - int(timestamp)) > tolerance:
        hint = "Set this machine's clock by NTP; else it is an old message sent again."
        raise SignatureInvalid("the webhook's time is too far from this clock", hint=hint)
    expected = [_signature(key, message_id, timestamp, body) for key in keys]
    # All are compared, so that the time says nothing of which one fits.
    fits = [hmac.compare_digest(one, _decoded(text)) for one in expected for text in offered]
    if not any(fits):
        raise SignatureInvalid("no signature of the webhook fits")
    return ReceivedWebhook(id=message_id, sent_at=int(timestamp), body=body)


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)


def _decoded(offered: str) -> bytes:
    """The bytes of an offered signature of the version that is known here; of others none."""
    version, _, text = offered.partition(",")
    try:
        return base64.b64decode(text, validate=True) if version == "v1" else b""
    except (binascii.Error, ValueError):
        return b""


def _keys(secrets: Sequence[Secret | str]) -> list[bytes]:
    if not secrets:
        raise InvalidValue("a webhook needs a signing secret")
    return [_key(s.reveal() if isinstance(s, Secret) else s) for s in secrets]


def _key(text: str) -> bytes:
    packed = text.strip().removeprefix(_PREFIX)
    try:
        key = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _LEAST <= len(key) <= _MOST:
        raise InvalidValue(
            f"a webhook's secret is {_PREFIX} and {_LEAST} to {_MOST} bytes in base64",
            hint="Make one: assetflow.wire.new_webhook_secret().reveal()",
        )
    return key
