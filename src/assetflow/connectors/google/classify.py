"""What Google's bad answers mean, and when a call may be made again. One pure function.

Google says "too fast" with 403, 429 and 503, and "not allowed" with 403 too, so the reason in
the body decides before the status. Three kinds of envelope come: the Directory API's (``errors``
with a ``reason``), the newer interfaces' (``status`` and ``details``), the token endpoint's
(``error`` as a text); and now and then plain text or a web page from whatever stands in between.

Of an answer's own words only codes are repeated: its message may name a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from attrs import frozen

from assetflow.errors import (
    AuthError,
    ConnectorError,
    ListingExpired,
    PayloadError,
    PermissionDenied,
    RateLimited,
    RemoteConflict,
    RemoteNotFound,
    RemoteRejected,
    TransientError,
)
from assetflow.wire import Call, Reply, RetryWhen, Verdict, classify_http, wait_asked

__all__ = ["Fault", "classify", "read_fault"]

_QUOTA_REASONS = frozenset(
    {
        "quotaExceeded",
        "rateLimitExceeded",
        "sharingRateLimitExceeded",
        "userRateLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
    }
)
_QUOTA_TEXTS = (
    "quota exceeded for quota metric",
    "quota exceeded for the current request",
    "rate limit exceeded",
    "request rate higher than configured",
)
_API_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_RANGE = re.compile(r"within the range: \[\d+, (\d+)\]")
_SCOPES = re.compile(r'scope="([^"]{1,2000})"')
_SCOPE = re.compile(r"https://www\.googleapis\.com/auth/[a-z0-9._]+")
_SMALLEST_PAGE = 200
_READ = 65_536
# Attempts after which a page that keeps failing is taken for one of a listing that has expired.
_PATIENCE = 3

_GRANT_HINT = (
    "Admin console > Security > Access and data control > API controls > Domain-wide delegation: "
    "add the scope to the service account's client id."
)
_PRIVILEGE_HINT = (
    "Give the admin that the service account acts as a role with the privilege (Admin console > "
    "Account > Admin roles): Chrome OS devices, Users and Organizational units, reading each."
)
_API_HINT = "Switch on the Admin SDK API in the Cloud project of the service account."
_DOMAIN_HINT = (
    "Admin console > Security > Access and data control > API controls: allow API access."
)


@frozen(kw_only=True)
class Fault:
    """A bad answer, as far as it could be read."""

    status: int
    """HTTP status."""
    codes: frozenset[str]
    """Its reasons and its status word."""
    message: str
    """Its message in lower case. May name a person: for comparing only."""
    web_page: bool
    """Whether it is a web page."""


def read_fault(reply: Reply) -> Fault:
    """Read an answer's envelope, whichever it has."""
    head = reply.body[:_READ]
    try:
        found: Any = msgspec.json.decode(head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = head.decode("utf-8", "replace").strip()
        page = text.startswith("<")
        return Fault(
            status=reply.status,
            codes=frozenset(),
            message=text[:2_000].lower(),
            web_page=page,
        )
    envelope = found.get("error") if isinstance(found, dict) else None
    if isinstance(envelope, str):
        message = found.get("error_description")
        codes = frozenset(_codes([envelope]))
    else:
        envelope = envelope if isinstance(envelope, dict) else {}
        message = envelope.get("message")
        codes = frozenset(_codes(_reasons(envelope)))
    return Fault(
        status=reply.status,
        codes=codes,
        message=message[:2_000].lower() if isinstance(message, str) else "",
        web_page=False,
    )


def _reasons(envelope: dict[str, Any]) -> Iterator[object]:
    yield envelope.get("status")
    for key in ("errors", "details"):
        items = envelope.get(key)
        for item in items[:20] if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield item.get("reason")


def _codes(found: Any) -> Iterator[str]:
    """Only what looks like a code: the rest may be text that names somebody."""
    for item in found:
        if isinstance(item, str) and _CODE.fullmatch(item):
            yield item


def classify(call: Call, reply: Reply, attempt: int, /) -> Verdict | None:
    """Judge an answer of Google's.

    | answer | error | made again |
    |---|---|---|
    | 403, 429, 503 that speak of a quota or a rate | RateLimited | always: it was refused before it ran |
    | 401 | AuthError | once, with a fresh token |
    | 403 ``insufficient_scope`` | PermissionDenied, names the scope | no |
    | 403 otherwise | PermissionDenied | no |
    | 400 on the page size | RemoteRejected | once, with the size that Google names |
    | 400 ``Invalid Input`` on a page token | ListingExpired | twice, the same token after 5 and 10 s |
    | 400 on the org unit | RemoteNotFound | no |
    | 404 | RemoteNotFound | no |
    | 409 ``ABORTED`` | RemoteConflict | when idempotent |
    | 503 ``backendError`` on a further page | ListingExpired from the third time on | when idempotent |
    | 500, 502, 503, 504 | TransientError | when idempotent |
    | a web page | PayloadError | when idempotent and 5xx |

    Args:
        call: The call that was made.
        reply: Its answer.
        attempt: The attempt, counted from 1.
    """
    if 200 <= reply.status < 300 or 300 <= reply.status < 400:
        return classify_http(call, reply, attempt)
    fault = read_fault(reply)
    wait = wait_asked(reply.headers)
    if _is_quota(fault):
        error = RateLimited("Google's quota is used up", retry_after=wait, **_named(fault))
        return Verdict(error=error, retry="always", retry_after=wait)
    if fault.web_page and fault.status != 401:
        retry: RetryWhen = "idempotent" if fault.status >= 500 else "never"
        return Verdict(error=_web_page(), retry=retry, retry_after=wait)
    if fault.status == 400:
        return _bad_request(call, fault, attempt)
    if fault.status == 401:
        error_401 = AuthError("Google did not accept the token", **_named(fault))
        return Verdict(error=error_401, refresh=True)
    if fault.status == 403:
        return Verdict(error=_forbidden(fault, reply.headers.get("www-authenticate", "")))
    if fault.status == 404:
        return Verdict(error=_missing(fault))
    if fault.status == 409:
        aborted = "ABORTED" in fault.codes
        conflict = RemoteConflict("the record changed or exists there", **_named(fault))
        return Verdict(error=conflict, retry="idempotent" if aborted else "never")
    if fault.status in {412, 413, 501}:
        return Verdict(
            error=RemoteRejected(f"Google refused the call with {fault.status}", **_named(fault))
        )
    if fault.status >= 500:
        return Verdict(
            error=_server_fault(call, fault, attempt), retry="idempotent", retry_after=wait
        )
    return classify_http(call, reply, attempt)


def _is_quota(fault: Fault) -> bool:
    if fault.status == 429:
        return True
    if fault.status not in {403, 503}:
        return False
    return bool(fault.codes & _QUOTA_REASONS) or any(t in fault.message for t in _QUOTA_TEXTS)


def _bad_request(call: Call, fault: Fault, attempt: int) -> Verdict:
    """Most are final; a page size and a page token get another try."""
    asked = call.param("maxResults")
    limit = _RANGE.search(fault.message)
    if asked is not None and (limit or "maxresults" in fault.message):
        most = int(limit[1]) if limit else _SMALLEST_PAGE
        error = RemoteRejected("Google allows fewer records on a page", limit=most)
        fits = asked.isdecimal() and 0 < most < int(asked)
        return Verdict(error=error, amend=call.with_params(maxResults=str(most)) if fits else None)
    on_page = call.param("pageToken") is not None
    if on_page and _is_token_fault(fault):
        expired = ListingExpired(
            "Google no longer accepts the listing's next page", **_named(fault)
        )
        if attempt >= _PATIENCE:
            return Verdict(error=expired)
        return Verdict(error=expired, retry="idempotent", pause=5.0 * attempt)
    if "ou_id" in fault.message or "ou id" in fault.message or "org unit" in fault.message:
        missing = RemoteNotFound(
            "Google does not know that org unit",
            hint="List the org units and name it by its id; names with '+' fail by path.",
            **_named(fault),
        )
        return Verdict(error=missing)
    if "inconsistent orgunit" in fault.message:
        return Verdict(
            error=RemoteRejected(
                "Google finds the org unit's id and path to differ",
                hint="Send both, or move the devices with moveDevicesToOu.",
                **_named(fault),
            )
        )
    return Verdict(error=RemoteRejected("Google refused the call as it is", **_named(fault)))


def _is_token_fault(fault: Fault) -> bool:
    """Whether a 400 on a further page is about its token: nothing else in the call is new."""
    return (
        "invalid input" in fault.message
        or "page token" in fault.message
        or "pagetoken" in fault.message
        or "invalid argument" in fault.message
    )


def _forbidden(fault: Fault, challenge: str) -> ConnectorError:
    named = _named(fault)
    scopes = _SCOPES.search(challenge)
    lacking = fault.codes & {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientScopes"}
    if "insufficient_scope" in challenge or lacking:
        wanted = tuple(sorted(set(_SCOPE.findall(scopes[1] if scopes else ""))))
        shown = " or ".join(wanted) or "that the call needs"
        return PermissionDenied(
            f"the token lacks the scope {shown}", hint=_GRANT_HINT, scopes=wanted, **named
        )
    if fault.codes & _API_OFF or "has not been used in project" in fault.message:
        return PermissionDenied("the Admin SDK API is off", hint=_API_HINT, **named)
    if "domainCannotUseApis" in fault.codes:
        return PermissionDenied("API access is off for the domain", hint=_DOMAIN_HINT, **named)
    return PermissionDenied("the admin may not read this", hint=_PRIVILEGE_HINT, **named)


def _missing(fault: Fault) -> ConnectorError:
    if "domain not found" in fault.message or "customer" in fault.message:
        return RemoteNotFound(
            "Google does not know that customer or domain",
            hint="Use my_customer, or the customer id shown in Admin console > Account.",
            **_named(fault),
        )
    return RemoteNotFound("there is no such record at Google", **_named(fault))


def _server_fault(call: Call, fault: Fault, attempt: int) -> ConnectorError:
    on_page = call.param("pageToken") is not None
    if on_page and fault.status == 503 and "backendError" in fault.codes and attempt >= _PATIENCE:
        return ListingExpired(
            "Google does not give the listing's next page, as after 60 minutes", **_named(fault)
        )
    return TransientError(f"Google failed with status {fault.status}", **_named(fault))


def _web_page() -> PayloadError:
    return PayloadError(
        "a web page came instead of Google's answer",
        hint="A proxy, content filter or sign-in page answered; open the address in a browser.",
    )


def _named(fault: Fault) -> dict[str, Any]:
    return {"reason": ",".join(sorted(fault.codes)) or None}
