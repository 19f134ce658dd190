"""One at a time where names are given out.

A tag, a serial number, a place's code or a person's number belongs to one record, but may be
unknown, shared with what is out of service, or written in many ways, so that no unique key of a
table can say it. Whoever gives one out locks the district's own record first, and looks then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.model import District

if TYPE_CHECKING:
    from assetflow.store.ports import Transaction

__all__ = ["lock_names"]


def lock_names(tx: Transaction) -> None:
    """Have others who would give out a name wait until the end of this transaction.

    Called before any other record is locked, since all take the wider lock first.

    Args:
        tx: The transaction.
    """
    tx.lock((District, (tx.district,)))
