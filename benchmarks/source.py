"""A Google customer as pages of bytes in memory: the fake server's own answers, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assetflow.connectors.google.calls import Directory
from assetflow.connectors.google.dictionary import RAW_DICTIONARIES
from assetflow.connectors.google.mapping import DeviceMapper
from assetflow.connectors.spec import ConnectorCapability, Shard, ShardPlan
from assetflow.testing.google import FakeGoogle, Fleet
from assetflow.testing.google.answers import Asked
from assetflow.wire import Call, Listing, Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetflow.connectors.spec import Check
    from assetflow.model import ObservedDevice, ObservedKind
    from assetflow.wire import Flow

__all__ = ["Pages", "PagesConnector", "changed", "first_pages", "seen_again"]

Pages = dict[str | None, bytes]
"""Bodies of a listing by the token with which they are asked for; in the listing's order."""

_PLACE = b'"annotatedLocation":"'
_CART = re.compile(rb"\ACart \d+, ")


def first_pages(devices: int, *, page_size: int = 300) -> Pages:
    """The fake server's answers to the connector's own listing of a made-up fleet."""
    fake = FakeGoogle(fleet=Fleet(devices=devices))
    listing = Directory("my_customer", DeviceMapper(), page_size).chromebooks()
    pages: Pages = {}
    call: Call | None = listing.first
    while call is not None:
        asked = Asked(method="GET", path=f"/{call.path}", params=dict(call.params))
        body = pages[call.param("pageToken")] = fake.answer(asked).body
        call = listing.parse(call, body).following
    return pages


def seen_again(pages: Pages, year: int) -> Pages:
    """The same fleet after each device made contact again: nothing but ``lastSync`` moved."""
    before, after = (f'"lastSync":"{y}-'.encode() for y in (year - 1, year))
    return {token: body.replace(before, after) for token, body in pages.items()}


def changed(pages: Pages, number: int, *, every: int = 100) -> Pages:
    """The same fleet after every hundredth device, evenly spread, got another location."""
    count, out = 0, {}
    for token, body in pages.items():
        parts = body.split(_PLACE)
        for at in range(1, len(parts)):
            if count % every == 0:
                parts[at] = b"Cart %d, " % number + _CART.sub(b"", parts[at], 1)
            count += 1
        out[token] = _PLACE.join(parts)
    return out


class PagesWire:
    """Walks listings whose answers are in memory."""

    def __init__(self, give: Callable[[Listing[Any], Call], Page[Any]]) -> None:
        self._give = give

    def pages(self, listing: Listing[Any], *, start: Call | None = None) -> Iterator[Page[Any]]:
        call: Call | None = start or listing.first
        while call is not None:
            page = self._give(listing, call)
            yield page
            call = page.following

    def run(self, flow: Flow[Any]) -> Any:
        try:
            next(flow)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("a flow over pages in memory makes no call")


class PagesConnector:
    """The Google connector's own listing, parser and dictionaries over pages in memory.

    Args:
        pages: The answers.
        devices: How many there are.
        decoded: Decode all of them now, so that a pull gets finished pages.
    """

    name = "google"
    raw_dictionaries: Mapping[int, bytes] = RAW_DICTIONARIES
    capabilities = frozenset({ConnectorCapability.LIST_DEVICES, ConnectorCapability.COUNT_DEVICES})
    async_wire: Any = None

    def __init__(self, pages: Pages, devices: int, *, decoded: bool = False) -> None:
        self._devices = devices
        self._listing = Directory("my_customer", DeviceMapper()).chromebooks()
        self._pages = pages
        self.wire: Any = PagesWire(self._parse)
        if decoded:
            ready = dict(zip(pages, self.decode(), strict=True))
            self.wire = PagesWire(lambda _, call: ready[call.param("pageToken")])

    def _parse(self, listing: Listing[ObservedDevice], call: Call) -> Page[ObservedDevice]:
        return listing.parse(call, self._pages[call.param("pageToken")])

    def decode(self) -> Iterator[Page[ObservedDevice]]:
        """All pages, decoded by the connector's own parser."""
        return PagesWire(self._parse).pages(self._listing)

    def ready(self) -> Iterator[Page[ObservedDevice]]:
        """All pages as a pull gets them."""
        return self.wire.pages(self._listing)  # type: ignore[no-any-return]

    def plan(self, kind: ObservedKind) -> Flow[ShardPlan]:
        yield from ()
        shard = Shard(key="all", label="/", listing=self._listing, expected=self._devices)
        return ShardPlan(kind=kind, shards=(shard,), expected=self._devices)

    def checks(self) -> Sequence[Callable[[], Flow[Check]]]:
        return ()

    def close(self) -> None:
        pass
