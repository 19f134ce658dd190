"""What the pages of pulls remember of a record, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from assetflow.model import F, Query, Run, RunPage
from assetflow.reconcile import DIGEST_SIZE

if TYPE_CHECKING:
    from collections.abc import Collection

    from assetflow.store.ports import Transaction

__all__ = ["unmark"]

_NOTHING = bytes(DIGEST_SIZE)


def unmark(tx: Transaction, source: str, source_ids: Collection[str]) -> None:
    """Make the next pull look these records up, and leave no digest of what they said.

    To be called by whatever changes or removes observations and is no pull: a page that is as it
    was is not compared with them. All runs that are kept are gone through.

    Args:
        tx: A transaction that writes.
        source: The source.
        source_ids: The vendor's ids of the records.
    """
    wanted = frozenset(source_ids)
    for (run_id,) in list(tx.values(Query(kind=Run, where=F.source == source), ("id",))):
        pages = tx.find(Query(kind=RunPage, where=F.run_id == run_id)) if wanted else ()
        tx.upsert([_without(page, wanted) for page in pages if not wanted.isdisjoint(_ids(page))])


def _ids(page: RunPage) -> list[str]:
    return page.ids.decode().split("\n")


def _without(page: RunPage, gone: frozenset[str]) -> RunPage:
    size = DIGEST_SIZE
    marks = [
        _NOTHING if source_id in gone else page.marks[i * size : (i + 1) * size]
        for i, source_id in enumerate(_ids(page))
    ]
    return evolve(page, marks=b"".join(marks) if page.marks else b"")
