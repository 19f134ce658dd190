"""A receiver of webhooks on this machine, for tests: it verifies, remembers, and misbehaves on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from assetflow.errors import SignatureInvalid
from assetflow.wire import ReceivedWebhook, Secret, TargetRules, verify_webhook

if TYPE_CHECKING:
    from typing import Self

__all__ = ["FakeReceiver", "Said"]

_MOST_BODY = 4 * 1024 * 1024


@frozen(kw_only=True)
class Said:
    """What the receiver answers to one call."""

    status: int = 204
    """HTTP status."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers."""
    body: bytes = b""
    """The body; none goes along with 204."""
    drip: float = 0.0
    """Seconds before each byte of the body."""
    silent: bool = field(default=False)
    """Whether it says nothing at all and closes the connection when the receiver stops."""


class FakeReceiver:
    """Receives webhooks over plain HTTP on loopback.

    Args:
        secrets: Signing secrets of which one must fit.
        answer: Says what to answer to a verified webhook; 204 unless given.
        now: Seconds since 1970, against which the time of a webhook is held.

    Example:
        >>> from assetflow.wire import new_webhook_secret
        >>> secret = new_webhook_secret()
        >>> with FakeReceiver(secret) as receiver:
        ...     print(receiver.url.partition(":")[0], len(receiver.received))
        http 0
    """

    def __init__(
        self,
        secrets: Secret | str | Sequence[Secret | str],
        *,
        answer: Callable[[ReceivedWebhook], Said] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.received: list[ReceivedWebhook] = []
        """Every verified call, those that were answered with an error too, in order."""
        self.taken: list[ReceivedWebhook] = []
        """Calls that were answered with 2xx, in order."""
        self.headers: list[dict[str, str]] = []
        """Headers of every verified call."""
        self.refused: int = 0
        """Calls whose signature did not fit."""
        self.most_at_once: int = 0
        """Most calls that were in hand at the same time."""
        self._secrets, self._answer, self._time = secrets, answer, now
        self._stop, self._lock, self._now = threading.Event(), threading.Lock(), 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hooks/assetflow"

    @property
    def rules(self) -> TargetRules:
        """What must be allowed so that it can be called."""
        return TargetRules.loopback()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of all calls that were answered with 2xx, in order."""
        return [dict(e) for one in self.taken for e in one.events]

    def start(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop, and let go of calls that hang."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def handle(self, body: bytes, headers: dict[str, str]) -> Said:
        """What to say to a call."""
        try:
            message = verify_webhook(body, headers, secrets=self._secrets, now=self._time)
        except SignatureInvalid:
            with self._lock:
                self.refused += 1
            return Said(status=401)
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self.received.append(message)
            self.headers.append(headers)
        said = self._answer(message) if self._answer is not None else Said()
        if 200 <= said.status < 300 and not said.silent:
            with self._lock:
                self.taken.append(message)
        return said

    def released(self) -> None:
        """A call is out of hand."""
        with self._lock:
            self._now -= 1

    def wait_for_stop(self, seconds: float) -> bool:
        """Wait until the receiver stops; whether it did."""
        return self._stop.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    receiver: FakeReceiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        if length > _MOST_BODY:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        receiver = self.server.receiver
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = receiver.handle(body, headers)
        try:
            self._say(said)
        finally:
            if said.status != 401:
                receiver.released()

    def _say(self, said: Said) -> None:
        if said.silent:
            self.server.receiver.wait_for_stop(60)
            self.close_connection = True
            return
        self.send_response(said.status)
        for name, value in said.headers:
            self.send_header(name, value)
        if said.status != 204:
            self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        step = 1 if said.drip else max(len(said.body), 1)
        for start in range(0, len(said.body), step):
            if said.drip and self.server.receiver.wait_for_stop(said.drip):
                self.close_connection = True
                return
            self.wfile.write(said.body[start : start + step])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the parent's name
        """Say nothing."""
