"""Keeps secrets and people out of logs, reprs and errors.

What is shown is chosen, not what is hidden: a header's value is shown when its name is known to
be harmless, a query's values never are (they hold page tokens, keys and e-mail addresses), and
of an address only scheme, host and path remain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "HIDDEN",
    "redact_headers",
    "redact_params",
    "redact_path",
    "redact_url",
    "safe_id",
    "secret_header",
]

HIDDEN = "***"
"""What stands where a value was."""

_HARMLESS_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "consistencylevel",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "host",
        "prefer",
        "retry-after",
        "user-agent",
    }
)
_SECRET_HEADER = re.compile(
    r"auth|cookie|token|secret|key|password|session|signature|credential", re.IGNORECASE
)
_PERSON_IN_PATH = re.compile(r"[^/]*(?:@|%40)[^/]*", re.IGNORECASE)
_ID = re.compile(r"[!-~]{1,128}")


def secret_header(name: str) -> bool:
    """Whether a header of that name may carry credentials."""
    return bool(_SECRET_HEADER.search(name))


def redact_headers(headers: Iterable[tuple[str, str]]) -> str:
    """Headers as text: every name, and the values of harmless ones.

    Example:
        >>> redact_headers([("Accept", "text/csv"), ("X-Api-Key", "abc")])
        '(Accept: text/csv, X-Api-Key: ***)'
    """
    shown = (f"{k}: {v if k.lower() in _HARMLESS_HEADERS else HIDDEN}" for k, v in headers)
    return f"({', '.join(shown)})"


def redact_params(params: Iterable[tuple[str, str]]) -> str:
    """Query parameters as text: their names only.

    Example:
        >>> redact_params([("maxResults", "300"), ("pageToken", "abc")])
        '(maxResults, pageToken)'
    """
    return f"({', '.join(k for k, _ in params)})"


def redact_path(path: str) -> str:
    """A path without query and fragment; a segment with an e-mail address is hidden.

    Example:
        >>> redact_path("/users/jane%40lincoln.example/aliases?alt=json")
        '/users/***/aliases'
    """
    bare = re.split(r"[?#]", path, maxsplit=1)[0]
    scheme, mark, rest = bare.partition("://")
    if not mark:
        return _PERSON_IN_PATH.sub(HIDDEN, bare)
    host, slash, tail = rest.partition("/")
    host = host.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{_PERSON_IN_PATH.sub(HIDDEN, tail)}"


def redact_url(url: str) -> str:
    """Only the scheme and the host of an address: what a log or an error may show.

    Example:
        >>> redact_url("https://user:pw@mdm.example/api/devices?token=abc")
        'https://mdm.example'
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:  # such as an unclosed bracket
        return HIDDEN
    return f"{parts.scheme}://{host}" if host else HIDDEN


def safe_id(value: str | None) -> str | None:
    """A vendor's request id, if it looks like one; anything else is not repeated."""
    if value is None or not _ID.fullmatch(value):
        return None
    return value
