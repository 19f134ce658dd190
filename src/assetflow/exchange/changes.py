"""What happened since one last asked: pages of the journal, for systems that poll."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from attrs import frozen

from assetflow.errors import InvalidValue
from assetflow.exchange.cloudevents import Change, event_names, is_named

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction

__all__ = ["MOST_CHANGES", "ChangePage", "read_changes"]

MOST_CHANGES = 10_000
"""Most changes of one page."""
_CURSOR = re.compile(r"v1:(?P<district>[!-~]{1,200}):(?P<seq>[0-9]{1,18})")


@frozen(kw_only=True)
class ChangePage:
    """Some changes, and where to go on."""

    items: tuple[Change, ...]
    """The changes, in the order in which they happened."""
    cursor: str
    """Give it back as ``since``; opaque, and good for as long as the store lives."""
    more: bool
    """Whether more are there already."""

    def __iter__(self) -> Iterator[Change]:
        return iter(self.items)


def read_changes(
    tx: ReadTransaction,
    *,
    since: str | int | None = None,
    types: Iterable[str] = (),
    limit: int = 1_000,
) -> ChangePage:
    """The changes after a place in the journal, in order.

    Args:
        tx: Consistent reads.
        since: A page's cursor, or a sequence number; from the beginning when not given.
        types: Names of events; all when empty.
        limit: Most changes of the page.

    Raises:
        InvalidValue: a cursor that is none or of another district, an unknown name, a limit
            that is not 1 to 10,000.
    """
    names = event_names(types)
    if isinstance(limit, bool) or not 1 <= limit <= MOST_CHANGES:
        raise InvalidValue(f"a limit is 1 to {MOST_CHANGES:,}")
    start = _place(since, tx.district)
    end = tx.head().seq
    matching = (e for e in tx.journal(after=start) if is_named(e.type, names))
    found = list(islice(matching, limit + 1))
    more = len(found) > limit
    items = tuple(Change.of(stored, tx.district) for stored in found[:limit])
    # What was passed over need not be looked at again.
    reached = items[-1].seq if more else max(start, end)
    return ChangePage(items=items, cursor=f"v1:{tx.district}:{reached}", more=more)


def _place(since: str | int | None, district: str) -> int:
    if since is None:
        return 0
    if isinstance(since, int) and not isinstance(since, bool) and since >= 0:
        return since
    found = _CURSOR.fullmatch(since) if isinstance(since, str) else None
    if found is None:
        raise InvalidValue("that is no cursor", hint="Give back a page's cursor as it was.")
    if found["district"] != district:
        raise InvalidValue("that cursor belongs to another district")
    return int(found["seq"])
