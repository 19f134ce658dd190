"""The fake Directory API over HTTP: threads, keep-alive, gzip, on loopback only."""

from __future__ import annotations

import gzip
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from assetflow.connectors.google.calls import Directory as Calls
from assetflow.connectors.google.mapping import DeviceMapper
from assetflow.errors import InvalidValue
from assetflow.testing.google.answers import Answer, Asked, directory_error, json_answer
from assetflow.testing.google.batch import answer_batch
from assetflow.testing.google.directory import Directory
from assetflow.testing.google.faults import FAULTS, Fault
from assetflow.testing.google.fleet import Fleet
from assetflow.testing.google.oauth import Gate

if TYPE_CHECKING:
    from typing import Self

    from assetflow.testing.google.contract import Method

__all__ = ["FakeGoogle"]

_WORTH_PACKING = 1_024
_MOST_BODY = 1024 * 1024


class FakeGoogle:
    """Google's Directory API on this machine, with a made-up district behind it.

    It answers as Google does: the same parameters, enumerations, page tokens, masks, compression
    and errors. A call without a token is served unless *anonymous* is off; a token must be one
    that it gave out.

    Args:
        devices: How many Chromebooks to make up.
        fleet: A fleet of your own instead.
        faults: Names of what goes wrong; see [`FAULTS`][assetflow.testing.google.FAULTS].
        latency: Seconds that each answer takes; calls wait at the same time.
        port: Where it listens on loopback; 0 for a free one.
        anonymous: Whether a call without a token is served.
        granted: Scopes that the admin console grants to the service account; all unless given.
        token_life: Seconds that a token lives.
        listing_life: Seconds that a listing of devices lives.

    Example:
        >>> from assetflow.connectors import GoogleAdmin
        >>> from assetflow.wire import NoAuth
        >>> with FakeGoogle(devices=3) as fake, GoogleAdmin(NoAuth(), base_url=fake.url) as google:
        ...     print(google.count(), len(list(google.chromebooks())))
        3 3
    """

    def __init__(
        self,
        devices: int = 700,
        *,
        fleet: Fleet | None = None,
        faults: Iterable[str] = (),
        latency: float = 0.0,
        port: int = 0,
        anonymous: bool = True,
        granted: Iterable[str] | None = None,
        token_life: int = 3_600,
        listing_life: float = 3_600.0,
    ) -> None:
        self.fleet: Fleet = (
            Fleet(devices=devices) if fleet is None else fleet
        )  # an empty one is falsy
        self.latency = latency
        self.directory: Directory = Directory(self.fleet, listing_life=listing_life)
        self.gate: Gate = Gate(
            domain=self.fleet.domain,
            admins=[self.fleet.admin],
            anonymous=anonymous,
            granted=granted,
            life=token_life,
        )
        self.calls: deque[Asked] = deque(maxlen=10_000)
        """The last 10,000 requests as they came, secrets included: for tests to look at."""
        self._closers: list[Callable[[], object]] = []
        self._faults = [_fault(name) for name in faults]
        for fault in self._faults:
            fault.set_up(self)
        self.directory.on_page = self._on_page
        self._port = port
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Its address, such as ``http://127.0.0.1:8123``.

        Raises:
            InvalidValue: It has not started.
        """
        if self._server is None:
            raise InvalidValue("the fake server has not started")
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def token_uri(self) -> str:
        """Where it gives out tokens."""
        return f"{self.url}/token"

    def key_file(self) -> dict[str, str]:
        """The content of a service account's key file that opens it."""
        return self.gate.key_file(self.token_uri)

    def start(self) -> None:
        """Begin to listen; threads of the process serve."""
        if self._server is not None:
            return
        self._server = _Server(self, self._port)
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        self._closers.append(thread.join)

    def serve(self) -> None:
        """Serve in this thread until interrupted; it must have started."""
        while self._server is not None:
            time.sleep(3_600)

    def close(self) -> None:
        """Stop listening and cut the connections that are open."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        closers, self._closers = self._closers, []
        for closer in closers:
            closer()
        server.cut()
        server.server_close()

    def warm(self) -> None:
        """Encode all devices for the connector's own listing beforehand, for benchmarks."""
        first = Calls("my_customer", DeviceMapper()).chromebooks().first
        self.directory.warm(first.param("fields") or "")

    def on_close(self, closer: Callable[[], object]) -> None:
        """Call something when the server closes."""
        self._closers.append(closer)

    # --- one request ------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Answer:
        """Answer a request, as over HTTP but for compression."""
        self.calls.append(asked)
        if self.latency:
            time.sleep(self.latency)
        path = asked.path
        if path == "/token" and asked.method == "POST":
            return self.gate.exchange(asked)
        if path.startswith("/v1/projects/-/serviceAccounts/") and path.endswith(":signJwt"):
            account = unquote(path.removeprefix("/v1/projects/-/serviceAccounts/"))
            return self.gate.sign(asked, account.removesuffix(":signJwt"))
        if path == "/batch" and asked.method == "POST":
            return answer_batch(asked, self._part(asked))
        return self._directory_answer(asked)

    def _directory_answer(self, asked: Asked) -> Answer:
        for fault in self._faults:
            instead = fault.on_request(asked)
            if instead is not None:
                return instead

        def allow(method: Method) -> Answer | None:
            return self.gate.allow(asked, method)

        answer = self.directory.handle(asked, allow)
        if answer.status == 200:
            body = answer.body
            for fault in self._faults:
                body = fault.on_body(asked, body)
            if body is not answer.body:
                return Answer(status=200, body=body, content_type=answer.content_type)
        return answer

    def _part(self, whole: Asked) -> Callable[[str, str, dict[str, str], bytes], Answer]:
        def handle(method: str, address: str, headers: dict[str, str], body: bytes) -> Answer:
            if "authorization" in whole.headers:
                headers.setdefault("authorization", whole.headers["authorization"])
            parts = urlsplit(address)
            asked = Asked(
                method=method,
                path=parts.path,
                params=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers=headers,
                body=body,
            )
            return self._directory_answer(asked)

        return handle

    def _on_page(self, page: Any) -> Answer | None:
        for fault in self._faults:
            instead = fault.on_page(page)
            if instead is not None:
                return instead
        return None


def _fault(name: str) -> Fault:
    if name not in FAULTS:
        raise InvalidValue(
            f"there is no fault {name!r}", hint=f"One of: {', '.join(sorted(FAULTS))}."
        )
    return FAULTS[name]()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, fake: FakeGoogle, port: int) -> None:
        self.fake = fake
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up is no news."""

    def cut(self) -> None:
        """End the connections that are kept alive; their threads end with them."""
        for request in list(self._open):
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ESF"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 120
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        if size > _MOST_BODY:
            self._send(directory_error(413, "uploadTooLarge", "Too large"))
            self.close_connection = True
            return
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        asked = Asked(
            method=self.command,
            path=parts.path,
            params=dict(pairs),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(size),
        )
        try:
            answer = self.server.fake.answer(asked)
        except Exception as error:  # noqa: BLE001 - a fault of the fake is told, not hidden
            answer = json_answer({"fake": f"{type(error).__name__}: {error}"})
            answer = Answer(status=500, body=answer.body)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        body, packed = answer.body, False
        wants = "gzip" in self.headers.get("Accept-Encoding", "")
        # Google packs only for clients that name gzip in the User-Agent too.
        if wants and "gzip" in self.headers.get("User-Agent", "") and len(body) > _WORTH_PACKING:
            body, packed = gzip.compress(body, 1, mtime=0), True
        self.send_response(answer.status)
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept-Encoding")
        for name, value in answer.headers:
            self.send_header(name, value)
        # One write: two would wait for the acknowledgement of the first.
        self._headers_buffer.append(b"\r\n")  # type: ignore[attr-defined]  # as end_headers does
        self._headers_buffer.append(body)  # type: ignore[attr-defined]
        self.flush_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Nothing: its address line would be the only thing on a terminal."""
