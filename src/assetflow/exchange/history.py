"""What is kept of runs that are over, and for how long."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from assetflow.exchange.checkpoints import ended
from assetflow.model import (
    Aggregate,
    F,
    ItemOutcome,
    Observation,
    Query,
    RunItem,
    RunPage,
    StagedRecord,
)
from assetflow.model.query import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assetflow.store.ports import ReadTransaction, Transaction

__all__ = ["KEPT_PAGES", "outlived_items", "prune_pages"]

KEPT_PAGES = 7
"""Of how many runs of a source it is kept which records each page held."""
_STILL_SPEAKING = frozenset({ItemOutcome.DISAGREES, ItemOutcome.AMBIGUOUS, ItemOutcome.REFUSED})
_GROUP = 2_000


def prune_pages(tx: Transaction, *, source: str, what: str) -> None:
    """Drop the pages and leftovers of old runs, before a new one begins."""
    old = [run_id for (run_id,) in tx.values(ended(source, what), ("id",))]
    for run_id in old[KEPT_PAGES - 1 : KEPT_PAGES + 5]:
        for kind, rest in ((RunPage, ("shard", "page")), (StagedRecord, ("source_id",))):
            rows = tx.values(Query(kind=kind, where=F.run_id == run_id), rest)
            tx.delete(kind, [(run_id, *row) for row in rows])


def outlived_items(
    tx: ReadTransaction, *, source: str, what: str, kept_runs: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Keys of what older runs did with records, in groups worth a transaction.

    A run tells only of what it did something with, so a disagreement, or a record that waits for
    a person, holds until a later run tells of the same record: such an item is left out.

    Args:
        tx: Reads.
        source: The source.
        what: What was pulled.
        kept_runs: So many of the newest runs keep all their items.
    """
    old = {i for (i,) in islice(tx.values(ended(source, what), ("id",)), kept_runs, None)}
    told = Aggregate(kind=RunItem, group_by=("run_id",), measures=(count(),))
    for row in tx.aggregate(told) if old else ():
        if row["run_id"] in old:
            yield from _of_run(tx, source, row["run_id"])


def _of_run(tx: ReadTransaction, source: str, run_id: str) -> Iterator[list[tuple[Any, ...]]]:
    items = list(tx.find(Query(kind=RunItem, where=F.run_id == run_id)))
    for first in range(0, len(items), _GROUP):
        some = items[first : first + _GROUP]
        speaking = [i.source_id for i in some if i.outcome in _STILL_SPEAKING]
        mine = (F.source == source) & F.source_id.one_of(*speaking)
        holds = {
            source_id
            for source_id, changed in tx.values(
                Query(kind=Observation, where=mine), ("source_id", "changed_run_id")
            )
            if changed == run_id
        }
        gone = [
            (i.run_id, i.source_id, i.position)
            for i in some
            if i.outcome not in _STILL_SPEAKING or i.source_id not in holds
        ]
        if gone:
            yield gone
