"""What goes in and out of the fake server, and Google's ways of saying no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from attrs import field, frozen

__all__ = ["Answer", "Asked", "Refused", "directory_error", "empty", "json_answer", "web_page"]

JSON = "application/json; charset=UTF-8"


@frozen(kw_only=True)
class Asked:
    """One request."""

    method: str
    """HTTP method."""
    path: str
    """Path, still percent-encoded, with its first slash."""
    params: Mapping[str, str]
    """Query parameters."""
    headers: Mapping[str, str] = field(factory=dict)
    """Headers, names in lower case."""
    body: bytes = b""
    """The body."""

    def data(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Refused: It is none.
        """
        if not self.body:
            return {}
        try:
            found = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            found = None
        if not isinstance(found, dict):
            raise Refused(directory_error(400, "parseError", "Parse Error"))
        return found


@frozen(kw_only=True)
class Answer:
    """One answer."""

    status: int
    """HTTP status."""
    body: bytes = b""
    """The body, not compressed."""
    content_type: str = JSON
    """Its media type."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers."""


class Refused(Exception):
    """Ends the handling of a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(data: object, *, pretty: bool = False) -> Answer:
    """A good answer."""
    body = msgspec.json.encode(data)
    return Answer(status=200, body=msgspec.json.format(body, indent=1) if pretty else body)


def empty() -> Answer:
    """A good answer without a body."""
    return Answer(status=204)


def directory_error(
    code: int,
    reason: str,
    message: str,
    *,
    domain: str = "global",
    status: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """An error in the Directory API's envelope.

    Args:
        code: HTTP status.
        reason: Google's word for it, such as ``notFound``.
        message: Google's sentence.
        domain: ``global``, or ``usageLimits`` for quotas.
        status: The canonical code that newer answers add, such as ``UNAVAILABLE``.
        headers: Further headers.
    """
    envelope: dict[str, object] = {
        "code": code,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }
    if status is not None:
        envelope["status"] = status
    return Answer(status=code, body=msgspec.json.encode({"error": envelope}), headers=headers)


def web_page(status: int, title: str) -> Answer:
    """What stands in between answers with: a proxy, a content filter, a gateway."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Answer(status=status, body=page.encode(), content_type="text/html; charset=utf-8")
