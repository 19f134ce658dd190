"""Who acts: an opaque id in the journal, whose label is a row that can be erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.model import Actor, ActorId, F, Order, Query
from assetflow.workflows.given import line

if TYPE_CHECKING:
    from assetflow.model import NewId
    from assetflow.store.ports import Transaction

__all__ = ["actor_for"]


def actor_for(tx: Transaction, label: str, *, new_id: NewId) -> ActorId:
    """The id of the actor with that label; a new one when there is none.

    Two first acts at once may make two rows of one label; from then on the older answers.

    Args:
        tx: The transaction; the row is written in it.
        label: A work address or a script's name.
        new_id: Makes the id.

    Raises:
        InvalidValue: an empty label, one that is too long, or one with control characters.
    """
    name = line(label, "an actor's label", longest=200)
    same = Query(kind=Actor, where=F.label == name, order=(Order("id"),), limit=1)
    for (found,) in tx.values(same, ("id",)):
        return ActorId(found)
    actor = Actor(id=ActorId(new_id()), label=name)
    tx.insert([actor])
    return actor.id
