"""The drivers' own HTTP clients: httpx on top, httpcore with the deadline's sockets below."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from assetflow.errors import ConfigError
from assetflow.wire.backend import AsyncDeadlineBackend, DeadlineBackend, no_trust

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from assetflow.wire.target import TargetRules

__all__ = ["make_async_client", "make_client"]

_IDLE = 15.0  # seconds that an unused connection is kept: about as long as busy servers keep theirs


def make_client(*, trust_env: bool, rules: TargetRules | None = None) -> httpx.Client:
    """A sync client on the library's own transport.

    Args:
        trust_env: Whether proxies come from the environment.
        rules: Which addresses may be connected to; all when not given.
    """
    proxies = _Proxies() if trust_env else None
    pools: dict[str | None, httpcore.ConnectionPool] = {}
    common: dict[str, Any] = {"network_backend": DeadlineBackend(rules), **_pool_options()}
    pools[None] = httpcore.ConnectionPool(**common)
    for address in proxies.addresses if proxies is not None else ():
        pools[address] = httpcore.HTTPProxy(address, proxy_auth=_userinfo(address), **common)
    transport = _Transport(pools, proxies)
    return httpx.Client(transport=transport, trust_env=False, cookies=_no_cookies())


def make_async_client(*, trust_env: bool) -> httpx.AsyncClient:
    """An async client on the library's own transport."""
    proxies = _Proxies() if trust_env else None
    pools: dict[str | None, httpcore.AsyncConnectionPool] = {}
    common: dict[str, Any] = {"network_backend": AsyncDeadlineBackend(), **_pool_options()}
    pools[None] = httpcore.AsyncConnectionPool(**common)
    for address in proxies.addresses if proxies is not None else ():
        pools[address] = httpcore.AsyncHTTPProxy(address, proxy_auth=_userinfo(address), **common)
    transport = _AsyncTransport(pools, proxies)
    return httpx.AsyncClient(transport=transport, trust_env=False, cookies=_no_cookies())


def _pool_options() -> dict[str, Any]:
    return {
        "ssl_context": no_trust(),
        # The driver's gate keeps to `limits.max_connections`. A pool that lets requests wait
        # loses a place for good when one gives up just as it is its turn (encode/httpcore#1093),
        # and one with a surplus may close a connection that was just given out (#1110).
        "max_connections": None,
        "max_keepalive_connections": None,
        "keepalive_expiry": _IDLE,
    }


def _no_cookies() -> CookieJar:
    # A session cookie would tie threads, tokens and tenants together behind their backs.
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))


def _userinfo(address: str) -> tuple[str, str] | None:
    parts = urlsplit(address)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


class _Proxies:
    """The proxies of the environment, or of the system's settings."""

    def __init__(self) -> None:
        found = getproxies()
        self._by_scheme = {
            scheme: address if "://" in address else f"http://{address}"
            for scheme in ("http", "https")
            if (address := found.get(scheme) or found.get("all", ""))
        }
        self.addresses = sorted(set(self._by_scheme.values()))
        if any(not a.startswith("http://") for a in self.addresses):
            raise ConfigError(
                "the environment names a proxy that is not reached over http",
                hint="Use an http:// proxy, or pass a client of your own as `http_client`.",
            )

    def choose(self, url: httpx.URL) -> str | None:
        if proxy_bypass(url.host):
            return None
        return self._by_scheme.get(url.scheme)


class _Transport(httpx.BaseTransport):
    def __init__(
        self, pools: dict[str | None, httpcore.ConnectionPool], proxies: _Proxies | None
    ) -> None:
        self._pools = pools
        self._proxies = proxies

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = None if self._proxies is None else self._proxies.choose(request.url)
        try:
            answer = self._pools[proxy].handle_request(_to_core(request))
        except Exception as error:
            raise _translated(error) from error
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.iter_stream()
        except Exception as error:
            raise _translated(error) from error

    def close(self) -> None:
        self._answer.close()


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(
        self, pools: dict[str | None, httpcore.AsyncConnectionPool], proxies: _Proxies | None
    ) -> None:
        self._pools = pools
        self._proxies = proxies

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = None if self._proxies is None else self._proxies.choose(request.url)
        try:
            answer = await self._pools[proxy].handle_async_request(_to_core(request))
        except Exception as error:
            raise _translated(error) from error
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_AsyncStream(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.aiter_stream():
                yield piece
        except Exception as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        await self._answer.aclose()


def _to_core(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _translated(error: Exception) -> Exception:
    """The exception of httpx that stands for one of httpcore; they share their names."""
    for cls in type(error).__mro__:
        if cls.__module__.startswith("httpcore"):
            return getattr(httpx, cls.__name__, httpx.TransportError)(str(error))
    return error
