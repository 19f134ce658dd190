"""Fetches the pages of several listings at once, and hands them over one at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attrs import frozen

from assetflow.errors import ConnectorError, ListingExpired, PageLoop, RemoteRejected

if TYPE_CHECKING:
    from assetflow.connectors.spec import Shard
    from assetflow.wire import Call, Page, Wire

__all__ = ["Fetched", "Restarted", "Start", "fetch", "groups"]


@frozen
class Start:
    """A listing and the page from which to read it."""

    shard: Shard
    """The listing."""
    call: Call | None = None
    """The page to begin with; ``None`` for the first."""
    number: int = 0
    """That page's number."""


@frozen
class Fetched:
    """A page that came in."""

    shard: Shard
    """The listing."""
    number: int
    """The page's number, from 0."""
    page: Page[Any]
    """The page."""


@frozen
class Restarted:
    """A listing begins again from its first page: the remembered page was no longer valid."""

    shard: Shard
    """The listing."""


_GROUP = 3_000
"""Records in one transaction; batches of this size were measured to write about twice as fast as single pages."""
_PATIENCE = 2.0
"""Seconds after which a group is written although it is small, so that little is lost when killed."""
_DONE = object()


def _walk(wire: Wire, start: Start) -> Iterator[Fetched | Restarted]:
    """One listing's pages. A remembered page that the vendor no longer knows restarts it, once."""
    number, call = start.number, start.call
    for attempt in (1, 2):
        try:
            for page in wire.pages(start.shard.listing, start=call):
                yield Fetched(start.shard, number, page)
                number += 1
        except (ListingExpired, PageLoop, RemoteRejected) as error:
            stale = number == start.number and call is not None
            if attempt == 2 or not (stale or isinstance(error, ListingExpired)):
                raise
            number, call = 0, None
            yield Restarted(start.shard)
        else:
            return


def fetch(
    wire: Wire, starts: Sequence[Start], *, workers: int
) -> Iterator[Fetched | Restarted | None]:
    """The pages of all listings, as they come in; ``None`` when nothing is waiting just now.

    Pages of one listing keep their order. With one worker nothing is fetched ahead. The network
    is never touched while the caller holds a page, unless workers fetch ahead in their threads.

    Raises:
        ConnectorError: from the first listing that failed; the others are stopped.
    """
    if workers <= 1 or len(starts) <= 1:
        for start in starts:
            yield from _walk(wire, start)
        return
    yield from _fetch_ahead(wire, starts, workers=min(workers, len(starts)))


def _fetch_ahead(
    wire: Wire, starts: Sequence[Start], *, workers: int
) -> Iterator[Fetched | Restarted | None]:
    todo: queue.SimpleQueue[Start | None] = queue.SimpleQueue()
    ready: queue.Queue[Any] = queue.Queue(maxsize=workers * 2)
    stop = threading.Event()
    for start in starts:
        todo.put(start)
    for _ in range(workers):
        todo.put(None)

    def hand_over(item: object) -> bool:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            while not stop.is_set() and (start := todo.get()) is not None:
                for item in _walk(wire, start):
                    if not hand_over(item):
                        return
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            hand_over(error)
        finally:
            hand_over(_DONE)

    threads = [
        threading.Thread(target=work, name=f"assetflow-pages-{n}", daemon=True)
        for n in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        alive = workers
        while alive:
            try:
                item = ready.get_nowait()
            except queue.Empty:
                yield None
                item = ready.get()
            if item is _DONE:
                alive -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Counted(Protocol):
    """Something that came in, of so many records."""

    @property
    def records(self) -> int:
        """How many."""
        ...


C = TypeVar("C", bound=Counted)


def groups(items: Iterator[C | Restarted | None]) -> Iterator[list[C] | Restarted]:
    """Pages in groups worth a transaction: many records, or all that came in a while.

    A listing that begins again comes by itself, after what was read before it.
    """
    group: list[C] = []
    records, since = 0, time.monotonic()
    try:
        for item in items:
            late = item is None or isinstance(item, Restarted)
            if item is not None and not isinstance(item, Restarted):
                group.append(item)
                records += item.records
                late = time.monotonic() - since > _PATIENCE
            if group and (records >= _GROUP or late):
                yield group
                group, records, since = [], 0, time.monotonic()
            if isinstance(item, Restarted):
                yield item
    except ConnectorError:
        if group:
            yield group  # what came in before the source failed is not fetched again
        raise
    if group:
        yield group
