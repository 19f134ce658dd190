"""What an answer means, by its HTTP status alone; connectors refine this for their vendor."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from assetflow.errors import (
    AuthError,
    ConnectorError,
    PayloadError,
    PermissionDenied,
    RateLimited,
    RemoteConflict,
    RemoteNotFound,
    RemoteRejected,
    TransientError,
    Unreachable,
)
from assetflow.wire.call import Call, Reply, Verdict
from assetflow.wire.retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["classify_http", "classify_token", "wait_asked"]

_GOOD = range(200, 300)

# RFC 6749, section 5.2, and what large vendors add. The code is safe to repeat; the
# description beside it may name an account.
_OAUTH_FINAL = {
    "access_denied": "the account may not use this application",
    "invalid_client": "the client id or secret is not accepted",
    "invalid_grant": "the grant, key or user behind it is not accepted",
    "invalid_scope": "a scope that was asked for is not granted",
    "unauthorized_client": "the client may not ask for a token in this way",
}
_OAUTH_TRANSIENT = {"internal_failure", "server_error", "temporarily_unavailable"}


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer's ``Retry-After`` asks for.

    A date is counted from the answer's own ``Date``, so that this machine's clock does not matter.

    Args:
        headers: Response headers, names in lower case.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    now = datetime.now(UTC)
    try:
        sent = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        sent = now
    return retry_after(value, now=sent if sent.tzinfo is not None else now)


def classify_http(call: Call, reply: Reply, attempt: int, /) -> Verdict | None:
    """Judge an answer by its status.

    | status | error | made again |
    |---|---|---|
    | 401 | AuthError | once, with a fresh token |
    | 403 | PermissionDenied | no |
    | 404, 410 | RemoteNotFound | no |
    | 407 | Unreachable | no |
    | 409, 412, 423 | RemoteConflict | no |
    | 425, 429 | RateLimited | always: the call was not carried out |
    | 408, 5xx but 501 and 505 | TransientError | when idempotent |
    | any other that is not 2xx | RemoteRejected | no |
    | 2xx with a web page | PayloadError | no |

    Args:
        call: The call that was made.
        reply: Its answer.
        attempt: The attempt, counted from 1.
    """
    del call, attempt  # part of the contract; a status needs neither
    status = reply.status
    if status in _GOOD:
        return _not_a_web_page(reply)
    wait = wait_asked(reply.headers)
    if status in {425, 429}:
        return Verdict(
            error=RateLimited("the vendor's quota is used up", retry_after=wait),
            retry="always",
            retry_after=wait,
        )
    if status == 408 or (status >= 500 and status not in {501, 505}):
        return Verdict(
            error=TransientError(f"the server failed with status {status}"),
            retry="idempotent",
            retry_after=wait,
        )
    return Verdict(error=_final(status), refresh=status == 401)


def _final(status: int) -> ConnectorError:
    if status == 401:
        return AuthError("the credentials were not accepted")
    if status == 403:
        return PermissionDenied("the account may not do this")
    if status in {404, 410}:
        return RemoteNotFound("there is no such record")
    if status == 407:
        return Unreachable(
            "a proxy wants credentials", hint="Put them into the proxy's address, or go around it."
        )
    if status in {409, 412, 423}:
        return RemoteConflict("the record changed there, exists already or is locked")
    return RemoteRejected(f"the call was refused with status {status}")


def _not_a_web_page(reply: Reply) -> Verdict | None:
    # Both signs: some vendors send JSON as text/html, and a body alone proves nothing.
    if "html" not in reply.headers.get("content-type", "").lower():
        return None
    if not reply.body[:512].lstrip().startswith(b"<"):
        return None
    return Verdict(
        error=PayloadError(
            "a web page came instead of data",
            hint="A sign-in page, proxy or content filter answered; open the address in a browser.",
        )
    )


def classify_token(call: Call, reply: Reply, attempt: int, /) -> Verdict | None:
    """Judge the answer of an OAuth token endpoint (RFC 6749, section 5.2).

    Such an endpoint says 400 for a wrong secret, which by its status alone would blame the
    request. Only the error's code is repeated, never its description.
    """
    verdict = classify_http(call, reply, attempt)
    if verdict is None or reply.status == 429:
        return verdict
    code = _oauth_code(reply.body)
    if code in _OAUTH_FINAL:
        return Verdict(error=AuthError(_OAUTH_FINAL[code], reason=code))
    if code in _OAUTH_TRANSIENT:
        # Asking for a token twice harms nobody, whatever the method.
        return Verdict(
            error=TransientError("the token endpoint failed", reason=code),
            retry="always",
            retry_after=verdict.retry_after,
        )
    if reply.status >= 500:
        return Verdict(error=verdict.error, retry="always", retry_after=verdict.retry_after)
    return verdict


def _oauth_code(body: bytes) -> str:
    try:
        answer = json.loads(body[:65_536])
    except (ValueError, RecursionError):
        return ""
    code = answer.get("error") if isinstance(answer, dict) else None
    return code if isinstance(code, str) else ""
