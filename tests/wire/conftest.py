"""A server that misbehaves on request, and both drivers behind one face.

A test says what a path answers (``server.on("/x", ...)``) and makes calls through ``rig``, which
is the sync driver in one run of the test and the async driver in the other.
"""

import asyncio
import contextlib
import gzip
import json
import logging
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from assetflow.wire import AsyncWire, Call, Limits, NoAuth, Page, RetryPolicy, Wire


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


def answer(status=200, body=b"{}", headers=(), *, length=True):
    """The bytes of an answer."""
    lines = [f"HTTP/1.1 {status} Whatever"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class FaultServer:
    """Answers each path with what the test put there: bytes, or an iterator of pieces.

    Bytes leave the connection open; after an iterator it is closed.
    """

    def __init__(self, context=None):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(0.05)
        self._context = context
        self._handlers: dict[str, Callable[[Request], object]] = {}
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.requests: list[Request] = []
        self.connections = 0
        self._start(self._accept)

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    def on(self, path, *answers):
        """What a path answers: the first, the second, then the last again and again."""

        def handler(request):
            nth = sum(1 for r in self.requests if r.path == path)
            chosen = answers[min(nth, len(answers)) - 1]
            return chosen(request) if callable(chosen) else chosen

        self._handlers[path] = handler

    def pause(self, seconds):
        """Wait, but not beyond the end of the test."""
        self._stopping.wait(seconds)

    def hang(self, _request):
        """Say nothing at all."""
        self.pause(30)
        return iter(())

    def drip(self, data, every=0.05):
        """A handler that sends *data* one byte at a time."""

        def pieces(_request):
            for i in range(len(data)):
                yield data[i : i + 1]
                self.pause(every)

        return pieces

    def count(self, path):
        return sum(1 for r in self.requests if r.path == path)

    def last(self, path):
        return [r for r in self.requests if r.path == path][-1]

    def stop(self):
        self._stopping.set()
        with contextlib.suppress(OSError):  # wakes the acceptor where the system allows it
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive()
        for sock in sockets:
            sock.close()

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            sock.settimeout(10)
            with self._lock:
                self._sockets.append(sock)
                self.connections += 1
                number = self.connections
            self._start(self._serve, sock, number)

    def _serve(self, sock, number):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._sockets.append(sock)
            with sock.makefile("rb") as reader:
                while (request := self._read(reader, number)) is not None:
                    with self._lock:
                        self.requests.append(request)
                    handler = self._handlers.get(request.path, lambda _r: answer(404))
                    reply = handler(request)
                    if isinstance(reply, bytes):
                        sock.sendall(reply)
                        continue
                    for piece in reply:
                        sock.sendall(piece)
                    break
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def _read(self, reader, number):
        first = reader.readline().decode().split()
        if len(first) < 2:
            return None
        headers = {}
        while line := reader.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", 0)))
        return Request(first[0], first[1], headers, body, number)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    running = FaultServer()
    yield running
    running.stop()


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    """Another host, as far as a client can tell."""
    running = FaultServer()
    yield running
    running.stop()


@pytest.fixture
def new_server():
    """Makes servers with a TLS context."""
    running = []

    def make(context=None):
        running.append(FaultServer(context))
        return running[-1]

    yield make
    for one in running:
        one.stop()


class SyncRig:
    """The sync driver, with its waits written down instead of waited."""

    kind = "sync"
    wire_class = Wire

    def __init__(self):
        self.sleeps: list[float] = []
        self.wires = []

    def wire(self, url, **options):
        options = {"connector": "demo", "tokens": NoAuth(), "sleep": self.sleeps.append, **options}
        self.wires.append(Wire(url, **options))
        return self.wires[-1]

    def send(self, wire, call):
        return wire.send(call)

    def pages(self, wire, listing, *args, **kwargs):
        return list(wire.pages(listing, *args, **kwargs))

    def each(self, wire, listing):
        return list(wire.each(listing))

    def run(self, wire, flow):
        return wire.run(flow)

    def together(self, wire, calls):
        """Send all at the same time; the outcome of each, replies and errors."""
        gate = threading.Barrier(len(calls))

        def one(call):
            gate.wait(10)
            try:
                return wire.send(call)
            except Exception as error:  # noqa: BLE001  # the outcome is looked at by the test
                return error

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    def close_wires(self):
        for wire in self.wires:
            wire.close()

    def close(self):
        self.close_wires()

    def own_client(self, httpx, **options):
        return httpx.Client(**options)

    def close_client(self, client):
        client.close()


class AsyncRig:
    """The async driver, in one event loop that lasts as long as the test."""

    kind = "async"
    wire_class = AsyncWire

    def __init__(self):
        self.sleeps: list[float] = []
        self.wires = []
        self.runner = asyncio.Runner()

    async def _sleep(self, seconds):
        self.sleeps.append(seconds)
        await asyncio.sleep(0)

    def wire(self, url, **options):
        options = {"connector": "demo", "tokens": NoAuth(), "sleep": self._sleep, **options}

        async def make():
            return AsyncWire(url, **options)

        self.wires.append(self.runner.run(make()))
        return self.wires[-1]

    def send(self, wire, call):
        return self.runner.run(wire.send(call))

    def pages(self, wire, listing, *args, **kwargs):
        async def walk():
            return [page async for page in wire.pages(listing, *args, **kwargs)]

        return self.runner.run(walk())

    def each(self, wire, listing):
        async def walk():
            return [item async for item in wire.each(listing)]

        return self.runner.run(walk())

    def run(self, wire, flow):
        return self.runner.run(wire.run(flow))

    def together(self, wire, calls):
        async def all_of_them():
            return await asyncio.gather(*map(wire.send, calls), return_exceptions=True)

        return self.runner.run(all_of_them())

    def close_wires(self):
        async def close_all():
            for wire in self.wires:
                await wire.aclose()

        self.runner.run(close_all())

    def close(self):
        self.close_wires()
        self.runner.close()

    def own_client(self, httpx, **options):
        return httpx.AsyncClient(**options)

    def close_client(self, client):
        self.runner.run(client.aclose())


@pytest.fixture(params=[SyncRig, AsyncRig], ids=["sync", "async"])
def rig(request):
    made = request.param()
    yield made
    made.close()


def get(path="/x", **options):
    return Call(method="GET", path=path, operation="get-x", **options)


def post(path="/x", **options):
    return Call(method="POST", path=path, operation="post-x", body=b"{}", **options)


def parse_numbers(call, body):
    """A listing of ``{"items": [...], "next": "token"}``."""
    page = json.loads(body)
    following = call.with_params(page=page["next"]) if page.get("next") else None
    return Page(items=page["items"], following=following)


def packed(data, **headers):
    """A gzip answer."""
    return answer(200, gzip.compress(data), [("Content-Encoding", "gzip"), *headers.items()])


def everything_said(error, records=()):
    """All text that an error can show: itself, its chain, its pickle, its variables, the logs."""
    said = []
    todo, seen = [error], set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        said += [repr(one), str(one), repr(vars(one)), repr(one.args)]
        todo += [one.__cause__, one.__context__]
        # What a crash reporter would send: each frame's variables too, but for the test's own.
        told = traceback.TracebackException.from_exception(one, capture_locals=True)
        frames = (f for f in told.stack if "/tests/" not in f.filename)
        said += [f"{f.filename} {f.name} {f.locals}" for f in frames]
    with contextlib.suppress(TypeError):
        said.append(repr(pickle.dumps(error)))
        said.append(repr(pickle.loads(pickle.dumps(error))))
    said += [r.getMessage() + repr(r.args) + str(r.exc_text) for r in records]
    return "\n".join(said)


class Everything(logging.Handler):
    """Keeps every record of the root logger, at every level."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.records = []

    def emit(self, record):
        record.getMessage()
        self.records.append(record)


@pytest.fixture
def all_logs():
    handler = Everything()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    yield handler.records
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def tools():
    """The helpers of this folder, for tests that cannot import each other."""

    class Tools:
        pass

    found = Tools()
    found.__dict__.update(
        answer=answer,
        everything_said=everything_said,
        get=get,
        packed=packed,
        parse_numbers=parse_numbers,
        post=post,
        quick=Limits(deadline=0.4, timeout=5, connect_timeout=5),
        once=RetryPolicy(max_attempts=1),
    )
    return found
