"""Turns a decision into entries of the journal and the records that change with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.store.ports import Entry, Put

if TYPE_CHECKING:
    from assetflow.rules.decision import Decision
    from assetflow.store.ports import Head, Transaction
    from assetflow.workflows.acting import Act

__all__ = ["decided_entries", "save"]


def save(tx: Transaction, act: Act, decision: Decision[Any]) -> Head:
    """Write what a decision says happened, all of it in the caller's transaction.

    Args:
        tx: The transaction.
        act: Who, when and why.
        decision: What was decided; nothing is written when nothing happened.

    Returns:
        The end of the journal.

    Raises:
        StaleVersion: a record is no longer as the decision read it.
        DuplicateKey: another transaction wrote first.
    """
    if not decision.happened:
        return tx.head()
    return tx.record(decided_entries(act, decision))


def decided_entries(act: Act, decision: Decision[Any]) -> list[Entry]:
    """What a decision says happened, as entries: for writing many decisions at once."""
    stamp = act.stamp()
    return [
        Entry(
            event=what.event,
            subject_id=what.subject_id,
            stamp=stamp,
            puts=tuple(Put(write.after, write.before) for write in what.writes),
            removes=what.removes,
            intents=what.intents,
        )
        for what in decision.happened
    ]
