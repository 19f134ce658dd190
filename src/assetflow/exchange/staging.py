"""New and changed records that wait until the change guard has seen all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.exchange.claims import Claim
from assetflow.model import F, Query, RunId, StagedRecord
from assetflow.reconcile import observed_array, observed_from_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.store.ports import ReadTransaction, Transaction

__all__ = ["count_staged", "drop_staged", "stage", "staged", "unstage"]


def _of(run_id: RunId, *, limit: int | None = None) -> Query[StagedRecord]:
    return Query(kind=StagedRecord, where=F.run_id == run_id, limit=limit)


def stage(tx: Transaction, run_id: RunId, claims: Sequence[Claim]) -> None:
    """Let claims wait."""
    tx.upsert(
        [
            StagedRecord(
                run_id=run_id,
                source_id=c.observed.source_id,
                standing=c.standing,
                digest=c.digest,
                observed=observed_array(c.observed),
                raw=c.raw,
                raw_dictionary=c.raw_dictionary,
            )
            for c in claims
        ]
    )


def count_staged(tx: ReadTransaction, run_id: RunId, standing: str | None = None) -> int:
    """How many wait, of those that stand so when it is said how."""
    mine = F.run_id == run_id
    where = mine if standing is None else mine & (F.standing == standing)
    return tx.count(Query(kind=StagedRecord, where=where))


def staged(tx: ReadTransaction, run_id: RunId, *, limit: int) -> list[Claim]:
    """Some claims that wait."""
    return [
        Claim(observed_from_array(r.observed), r.digest, r.raw, r.raw_dictionary, r.standing)
        for r in tx.find(_of(run_id, limit=limit))
    ]


def unstage(tx: Transaction, run_id: RunId, claims: Sequence[Claim]) -> None:
    """Claims that were applied wait no longer."""
    tx.delete(StagedRecord, [(run_id, c.observed.source_id) for c in claims])


def drop_staged(tx: Transaction, run_id: RunId) -> list[str]:
    """Forget all that waits; the ids of the records."""
    waiting = [str(i) for (i,) in tx.values(_of(run_id), ("source_id",))]
    tx.delete(StagedRecord, [(run_id, source_id) for source_id in waiting])
    return waiting
