"""google-auth's transport on the standard library, for application default credentials alone.

google-auth brings no transport of its own; the usual one needs ``requests``. Imported only when
google-auth is there.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

from attrs import frozen
from google.auth import exceptions, transport

__all__ = ["Transport"]

_TIMEOUT = 30.0
_CAP = 1024 * 1024


@frozen
class _Response:
    """What google-auth wants of an answer."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Response headers."""
    data: bytes
    """The body."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        """None: credentials do not follow."""


class Transport(transport.Request):
    """Makes google-auth's calls; without redirects, within a time and a size."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(_NoRedirects)

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_kwargs: object,
    ) -> _Response:
        """Make one call.

        Raises:
            google.auth.exceptions.TransportError: It got no answer.
        """
        if not url.startswith(("https://", "http://")):
            raise _no_answer("the address is neither https nor http")
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(  # noqa: S310 - checked above
            url, data=data, headers=dict(headers or {}), method=method
        )
        try:
            with self._opener.open(request, timeout=timeout or _TIMEOUT) as answer:
                return _Response(answer.status, dict(answer.headers.items()), answer.read(_CAP))
        except urllib.error.HTTPError as error:
            return _Response(error.code, dict(error.headers.items()), error.read(_CAP))
        except OSError:
            raise _no_answer("no answer came") from None


def _no_answer(message: str) -> Exception:
    error: Exception = exceptions.TransportError(message)  # type: ignore[no-untyped-call]
    return error
