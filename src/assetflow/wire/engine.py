"""All that is heavy to import, in one place that is loaded when the first driver is made."""

from __future__ import annotations

from httpx import AsyncClient, Client
from tenacity import AsyncRetrying, Retrying

from assetflow.wire.exchange import exchange, exchange_async
from assetflow.wire.logs import install_filter
from assetflow.wire.transport import make_async_client, make_client

__all__ = [
    "AsyncClient",
    "AsyncRetrying",
    "Client",
    "Retrying",
    "exchange",
    "exchange_async",
    "install_filter",
    "make_async_client",
    "make_client",
]
