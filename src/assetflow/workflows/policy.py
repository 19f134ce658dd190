"""The district's settings: adopted as its people wrote them, read as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from assetflow.model import AdoptedPolicy, DistrictPolicy
from assetflow.model.events import PolicyAdopted
from assetflow.rules.decision import Decision, Happened, Write
from assetflow.workflows.saving import save

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = ["adopt_policy", "current_policy"]

_ID = "policy"


def current_policy(tx: ReadTransaction) -> DistrictPolicy:
    """The settings that hold; the defaults when the district adopted none.

    Raises:
        PolicyError: the adopted text has a key that this version does not know.
    """
    adopted = tx.get(AdoptedPolicy, _ID)
    return DistrictPolicy() if adopted is None else DistrictPolicy.from_toml(adopted.text)


def adopt_policy(tx: Transaction, act: Act, text: str) -> DistrictPolicy:
    """Make a text the district's policy. The same text again writes nothing.

    The text stands in the journal as it was written, comments too, and cannot be erased from
    there: it is no place for the name of a student.

    Args:
        tx: The transaction.
        act: Who, when and why.
        text: The TOML text.

    Raises:
        PolicyError: a wrong key or value; the message names it with its line.
    """
    policy = DistrictPolicy.from_toml(text)
    tx.lock((AdoptedPolicy, (_ID,)))
    before = tx.get(AdoptedPolicy, _ID)
    if before is not None and before.text == text:
        return policy
    after = (
        AdoptedPolicy(text=text, digest=policy.digest)
        if before is None
        else evolve(before, text=text, digest=policy.digest, version=before.version + 1)
    )
    happened = Happened(
        event=PolicyAdopted(digest=policy.digest), subject_id=_ID, writes=(Write(after, before),)
    )
    save(tx, act, Decision(result=after, happened=(happened,)))
    return policy
