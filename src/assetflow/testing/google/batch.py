"""``POST /batch``: several calls in one ``multipart/mixed`` body, as the official client sends."""

from __future__ import annotations

import re
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message

from assetflow.testing.google.answers import Answer, Asked, directory_error

__all__ = ["answer_batch"]

_BOUNDARY = "batch_of_the_fake"
_MOST = 1_000


def answer_batch(
    asked: Asked, handle: Callable[[str, str, dict[str, str], bytes], Answer]
) -> Answer:
    """Answer each part by itself; a part that fails does not stop the others.

    Args:
        asked: The request.
        handle: Answers one call: method, address, headers in lower case, body.
    """
    kind = asked.headers.get("content-type", "")
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.body)
    parts = whole.get_payload()
    if not whole.is_multipart() or not isinstance(parts, list) or len(parts) > _MOST:
        return directory_error(400, "badRequest", "The batch request is malformed.")
    out = []
    for part in parts:
        if not isinstance(part, Message):
            continue
        reply = _answer_part(part, handle)
        number = str(part.get("Content-ID", "")).strip("<>")
        head = (
            f"--{_BOUNDARY}\r\nContent-Type: application/http\r\n"
            f"Content-ID: <response-{number}>\r\n\r\n"
            f"HTTP/1.1 {reply.status} Answer\r\nContent-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(reply.body)}\r\n\r\n"
        )
        out.append(head.encode() + reply.body + b"\r\n")
    body = b"".join(out) + f"--{_BOUNDARY}--\r\n".encode()
    return Answer(status=200, body=body, content_type=f"multipart/mixed; boundary={_BOUNDARY}")


def _answer_part(
    part: Message, handle: Callable[[str, str, dict[str, str], bytes], Answer]
) -> Answer:
    payload = part.get_payload(decode=True)
    text = payload if isinstance(payload, bytes) else b""
    head, _, body = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    line, *rest = head.decode("utf-8", "replace").lstrip("\n").split("\n")
    found = re.fullmatch(r"([A-Z]+) (\S+)(?: HTTP/1\.1)?", line.strip())
    if found is None:
        return directory_error(400, "badRequest", "A part of the batch is malformed.")
    headers = {
        name.strip().lower(): value.strip()
        for name, mark, value in (entry.partition(":") for entry in rest)
        if mark
    }
    return handle(found[1], found[2], headers, body)
