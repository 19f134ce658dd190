"""One request and its answer, on a client of either kind.

An exchange never raises what it met: it returns the answer, or a verdict on what went wrong. So
an error is raised later, from a frame that holds no request, and drags no address or header
along in its traceback or its ``__context__``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from typing import TYPE_CHECKING

import httpx

from assetflow.errors import (
    ConnectorError,
    DeadlineExceeded,
    RemoteRejected,
    Unreachable,
)
from assetflow.wire.call import RetryWhen, Verdict
from assetflow.wire.inflate import Intake
from assetflow.wire.logs import OurCall
from assetflow.wire.prepared import Prepared, Raw

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from assetflow.wire.policy import Limits

__all__ = ["exchange", "exchange_async"]

_TLS_HINT = (
    "A filter that inspects TLS may stand in between: install its root certificate in the "
    "operating system's trust store (see explanation/network.md)."
)
# What is raised before the request is on its way; anything else may have arrived.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# A UnicodeError is a header outside ASCII, and its text would show the header.
_UNSENDABLE = (
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    UnicodeError,
)
_EXPECTED = (httpx.HTTPError, *_UNSENDABLE, ConnectorError)


def exchange(
    client: httpx.Client, prepared: Prepared, gate: threading.Semaphore | None = None
) -> Raw | Verdict:
    """Send a request and read the answer to its end, within its limits.

    Args:
        client: Of either making.
        prepared: The request.
        gate: Lets as many through as there may be connections.
    """
    if gate is None:
        return _exchange(client, prepared)
    if not gate.acquire(timeout=max(0.0, prepared.read.until_deadline())):
        return _late()
    try:
        return _exchange(client, prepared)
    finally:
        gate.release()


def _exchange(client: httpx.Client, prepared: Prepared) -> Raw | Verdict:
    response: httpx.Response | None = None
    with OurCall():
        try:
            response = client.send(
                _request(client, prepared),
                stream=True,
                auth=None if prepared.authorised else httpx.USE_CLIENT_DEFAULT,
                follow_redirects=False,
            )
            try:
                headers = _headers(response)
                if response.is_stream_consumed:  # a transport for tests gave all of it at once
                    return _at_once(response, headers, prepared)
                intake = _intake(headers, prepared.limits)
                for chunk in response.iter_raw():
                    intake.take(chunk)
                    if prepared.late():
                        return _faulty(response, _late())
                return Raw(
                    status=response.status_code,
                    headers=headers,
                    body=intake.finish(),
                    wire_bytes=intake.wire_bytes,
                )
            finally:
                response.close()
        except _EXPECTED as error:
            verdict = _verdict(error, prepared)
    return _faulty(response, verdict)


async def exchange_async(
    client: httpx.AsyncClient, prepared: Prepared, gate: asyncio.Semaphore | None = None
) -> Raw | Verdict:
    """The same on an async client; the deadline cuts it off wherever it stands."""
    response: httpx.Response | None = None
    limit = asyncio.timeout(prepared.read.until_deadline())
    with OurCall():
        try:
            async with limit, gate or contextlib.nullcontext():
                response = await client.send(
                    _request(client, prepared),
                    stream=True,
                    auth=None if prepared.authorised else httpx.USE_CLIENT_DEFAULT,
                    follow_redirects=False,
                )
                try:
                    headers = _headers(response)
                    if response.is_stream_consumed:
                        return _at_once(response, headers, prepared)
                    intake = _intake(headers, prepared.limits)
                    async for chunk in response.aiter_raw():
                        intake.take(chunk)
                    return Raw(
                        status=response.status_code,
                        headers=headers,
                        body=intake.finish(),
                        wire_bytes=intake.wire_bytes,
                    )
                finally:
                    await response.aclose()
        except TimeoutError as error:
            verdict = _late() if limit.expired() else _verdict(error, prepared)
        except _EXPECTED as error:
            verdict = _verdict(error, prepared)
    return _faulty(response, verdict)


def _request(client: httpx.Client | httpx.AsyncClient, prepared: Prepared) -> httpx.Request:
    timeouts = {
        "connect": prepared.connect,
        "read": prepared.read,
        "write": prepared.read,
        "pool": prepared.read,
    }
    return client.build_request(
        prepared.method,
        prepared.url,
        headers=prepared.headers,
        content=prepared.body,
        extensions={"timeout": timeouts},
    )


def _headers(response: httpx.Response) -> dict[str, str]:
    # From the raw pairs: httpx looks for the encoding of each value again, on each access.
    found: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _intake(headers: dict[str, str], limits: Limits) -> Intake:
    announced = headers.get("content-length", "")
    return Intake(
        headers.get("content-encoding", "").split(","),
        limits,
        int(announced) if announced.isdecimal() else None,
    )


def _at_once(response: httpx.Response, headers: dict[str, str], prepared: Prepared) -> Raw:
    intake = Intake((), prepared.limits)  # httpx has inflated it already
    intake.take(response.content)
    return Raw(
        status=response.status_code,
        headers=headers,
        body=intake.finish(),
        wire_bytes=intake.wire_bytes,
    )


def _faulty(response: httpx.Response | None, verdict: Verdict) -> Raw | Verdict:
    if response is None:
        return verdict
    return Raw(
        status=response.status_code,
        headers=_headers(response),
        body=b"",
        wire_bytes=0,
        fault=verdict,
    )


def _late() -> Verdict:
    return Verdict(error=DeadlineExceeded("the call did not end within its deadline"))


def _verdict(error: Exception, prepared: Prepared) -> Verdict:
    """What an exchange that broke means, and whether the call may have arrived."""
    if isinstance(error, ConnectorError):  # from the intake: it arrived, and was answered
        retry: RetryWhen = "idempotent" if isinstance(error, Unreachable) else "never"
        # Its traceback leads through frames that hold the answer.
        return Verdict(error=error.with_traceback(None), retry=retry)
    if prepared.late():
        return _late()
    kind = type(error).__name__
    if isinstance(error, _UNSENDABLE):
        return Verdict(
            error=RemoteRejected(
                "the request cannot be sent as it is",
                hint="A token or header has a line break or a character outside ASCII.",
                cause=kind,
            )
        )
    if isinstance(error, httpx.ProxyError):
        asks = str(error).startswith("407")
        said = "the proxy wants credentials" if asks else "the proxy made no connection"
        return Verdict(error=Unreachable(said, cause=kind), retry="never" if asks else "always")
    certificate = _certificate_fault(error)
    if certificate is not None:
        return Verdict(
            error=Unreachable(
                "the server's certificate is not trusted",
                hint=_TLS_HINT,
                cause=str(certificate.verify_message),
            )
        )
    if isinstance(error, _NOT_SENT):
        return Verdict(
            error=Unreachable("no connection could be made", cause=_named(error)), retry="always"
        )
    said = (
        f"the server was silent for {prepared.limits.timeout:g} s"
        if isinstance(error, httpx.TimeoutException)
        else "the connection broke before the answer was complete"
    )
    return Verdict(error=Unreachable(said, cause=_named(error)), retry="idempotent")


def _causes(error: BaseException) -> Iterator[BaseException]:
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions


def _certificate_fault(error: BaseException) -> ssl.SSLCertVerificationError | None:
    return next((e for e in _causes(error) if isinstance(e, ssl.SSLCertVerificationError)), None)


def _named(error: Exception) -> str:
    """The name of what happened: of the operating system's error, else of the exception.

    Never the text of either: it may hold an address.
    """
    for one in _causes(error):
        if isinstance(one, socket.gaierror):
            return "name-not-found"
        if isinstance(one, OSError) and one.errno is not None and one.errno in errno.errorcode:
            return errno.errorcode[one.errno]
    return type(error).__name__
