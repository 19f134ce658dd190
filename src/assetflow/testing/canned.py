"""A connector that answers from memory: for tests and measurements that want no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from assetflow.connectors.spec import ConnectorCapability, Shard, ShardPlan
from assetflow.model import ObservedKind
from assetflow.wire import Call, Listing, Page

if TYPE_CHECKING:
    from assetflow.connectors.spec import Check
    from assetflow.model import ObservedDevice
    from assetflow.wire import Flow

__all__ = ["CannedConnector", "CannedWire"]

T = TypeVar("T")


@define(eq=False)
class CannedWire:
    """Walks listings whose pages are bytes kept in memory."""

    bodies: Mapping[tuple[str, str | None], bytes]
    """Answers by the call's path and its ``page`` parameter."""
    before_page: Callable[[Call], None] | None = None
    """Called with the call before each page is given; may raise, to play a fault."""

    def pages(self, listing: Listing[T], *, start: Call | None = None) -> Iterator[Page[T]]:
        """The pages of a listing, from *start* on."""
        call: Call | None = start or listing.first
        while call is not None:
            if self.before_page is not None:
                self.before_page(call)
            page = listing.parse(call, self.bodies[call.path, call.param("page")])
            yield page
            call = page.following

    def run(self, flow: Flow[T]) -> T:
        """A flow that makes no call."""
        try:
            next(flow)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # the flow's own result
        msg = "a canned flow makes no call"
        raise AssertionError(msg)


@define(eq=False)
class CannedConnector:
    """A source with these devices, in one listing for each org unit."""

    devices: Mapping[str, Sequence[ObservedDevice]]
    """What it will show, by org unit."""
    page_size: int = 100
    """Records on a page."""
    name: str = "google"
    """The source's name."""
    count: bool = True
    """Whether it counts its records, so that a listing can be proved complete."""
    lose: int = 0
    """How many records at the end of the last listing never come, as in a listing cut short."""
    before_page: Callable[[Call], None] | None = None
    """Called with the call before each page is given; may raise, to play a fault."""
    raw_dictionaries: Mapping[int, bytes] = field(factory=dict)
    """zlib dictionaries for raw records by version."""

    @property
    def capabilities(self) -> frozenset[ConnectorCapability]:
        """It lists devices and counts them."""
        return frozenset({ConnectorCapability.LIST_DEVICES, ConnectorCapability.COUNT_DEVICES})

    def plan(self, kind: ObservedKind) -> Flow[ShardPlan]:
        """One listing for each org unit."""
        yield from ()
        shards = tuple(
            Shard(
                key=unit,
                label=unit,
                listing=self._listing(unit),
                expected=len(found) if self.count else None,
            )
            for unit, found in self.devices.items()
        )
        total = sum(len(found) for found in self.devices.values())
        return ShardPlan(kind=kind, shards=shards, expected=total if self.count else None)

    def _listing(self, unit: str) -> Listing[ObservedDevice]:
        found = self.devices[unit]
        if self.lose and unit == list(self.devices)[-1]:
            found = found[: -self.lose]

        def parse(call: Call, _body: bytes) -> Page[ObservedDevice]:
            first = int(call.param("page") or 0)
            items = found[first : first + self.page_size]
            more = first + self.page_size < len(found)
            following = call.with_params(page=str(first + self.page_size)) if more else None
            return Page(items=items, following=following)

        return Listing(
            first=Call(method="GET", path=f"/{unit}", operation="list-canned"), parse=parse
        )

    @property
    def wire(self) -> Any:
        """Walks the listings."""
        return CannedWire(_Empty(), self.before_page)

    @property
    def async_wire(self) -> Any:
        """Not offered: canned answers wait for nothing."""
        msg = "a canned connector has no async driver"
        raise AssertionError(msg)

    def checks(self) -> Sequence[Callable[[], Flow[Check]]]:
        """Nothing to check."""
        return ()

    def close(self) -> None:
        """Nothing to close."""


class _Empty(dict[tuple[str, str | None], bytes]):
    def __missing__(self, key: tuple[str, str | None]) -> bytes:
        return b""
