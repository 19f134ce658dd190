"""The sockets below the drivers' own clients: every wait on them ends with the call's deadline.

httpcore takes a timeout for each read, so a server that sends one byte a second is never late.
Here each connect, handshake, write and read may take the timeout or what is left until the
deadline, whichever is less. The deadline travels inside the timeout (a
[`Budget`][assetflow.wire.prepared.Budget]), as that is what httpcore hands down untouched.

TLS trusts what the operating system trusts (`truststore`), as schools inspect TLS with a
certificate authority of their own. Each connection gets a context of its own: truststore holds
a lock of the context during a handshake, so one server that stalls would hold up every thread;
and its contexts are changed by each handshake, which is unsafe when two share one.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any, cast

import httpcore
import truststore

from assetflow.errors import TargetRefused
from assetflow.wire.prepared import Budget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assetflow.wire.target import TargetRules

__all__ = ["AsyncDeadlineBackend", "DeadlineBackend", "no_trust"]

# Small enough that the kernel takes a piece in a few steps, each of which may take the timeout.
_PIECE = 65_536


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    if not isinstance(timeout, Budget):
        return timeout
    left = timeout.left()
    if left <= 0:
        raise late("the deadline has passed")
    return left


def no_trust() -> ssl.SSLContext:
    """A context that trusts nobody: what a pool holds, and a stream replaces.

    Were it ever used by mistake, the connection would fail, not go through unverified.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _system_trust() -> ssl.SSLContext:
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    return context


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            left = _left(timeout, httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _PIECE], left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002 - see no_trust
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _DeadlineStream(self._inner.start_tls(_system_trust(), server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Sync sockets that keep the deadline, but for the name look-up, which cannot be interrupted.

    Args:
        rules: Which addresses may be connected to; all when not given. What was looked up and
            held against them is what is connected to.
    """

    def __init__(self, rules: TargetRules | None = None) -> None:
        self._inner = httpcore.SyncBackend()
        self._rules = rules

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that answers; all of them share the timeout."""
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in self._admitted(_addresses(host, port)):
            try:
                left = _left(timeout, httpcore.ConnectTimeout)
                stream = self._inner.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _DeadlineStream(stream)
        raise failure

    def _admitted(self, found: list[str]) -> list[str]:
        if self._rules is None or not found:
            return found
        judged = [(address, self._rules.refused_because(address)) for address in found]
        admitted = [address for address, why in judged if why is None]
        if not admitted:
            raise TargetRefused(
                "the address leads to where calls may not go", because=str(judged[0][1])
            )
        return admitted


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(error) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _AsyncTrustStream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own signature
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's own signature
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002 - see no_trust
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            secured = await self._inner.start_tls(_system_trust(), server_hostname, timeout)
        except BaseException:  # httpcore does not close it when the handshake is cancelled
            await self._inner.aclose()
            raise
        return _AsyncTrustStream(secured)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class AsyncDeadlineBackend(httpcore.AsyncNetworkBackend):
    """asyncio's sockets with the system's trust; the driver's `asyncio.timeout` keeps the deadline."""

    def __init__(self) -> None:
        # httpcore defines another class of that name for when anyio is missing.
        self._inner = cast(httpcore.AsyncNetworkBackend, httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the host."""
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _AsyncTrustStream(stream)
