"""The same request twice has one effect: idempotency keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from assetflow.errors import IdempotencyMismatch
from assetflow.model import Remembered
from assetflow.model.query import instant_text
from assetflow.workflows.given import line

if TYPE_CHECKING:
    from assetflow.store.ports import Transaction
    from assetflow.workflows.acting import Act

__all__ = ["LONGEST_KEY", "fingerprint", "once"]

T = TypeVar("T")

LONGEST_KEY = 200
"""Most characters of an idempotency key."""


def fingerprint(act: Act, what: str, parts: Sequence[str | None]) -> str:
    """What was asked, by whom and why, as 64 hexadecimal digits.

    Args:
        act: Who, and why; its time does not count, so that a retry later is the same request.
        what: The verb, such as ``custody.check-out``.
        parts: What was asked, in one order: opaque ids, codes and days. Nothing personal, since
            a hash of a name can be guessed.
    """
    then = None if act.effective_at is None else instant_text(act.effective_at)
    said = [what, act.actor_id, act.reason, then, *parts]
    return sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def once(
    tx: Transaction,
    act: Act,
    key: str | None,
    *,
    what: str,
    parts: Sequence[str | None],
    do: Callable[[], T],
    ids: Callable[[T], Mapping[str, str]],
    recall: Callable[[Mapping[str, str]], T],
) -> T:
    """Do something under a key, or answer as the first time.

    The key is taken before anything else, so of two at once one waits and then fails with
    `DuplicateKey`; done again, it gets the first one's answer. A refusal keeps nothing: the key
    is free again.

    Args:
        tx: The transaction. Nothing has been locked in it yet.
        act: Who, when and why.
        key: The caller's key; ``None`` to just do it.
        what: The verb.
        parts: What was asked, see [`fingerprint`][assetflow.workflows.once.fingerprint].
        do: Does it.
        ids: The ids that make up the answer.
        recall: The answer again, from these ids.

    Raises:
        IdempotencyMismatch: another request was made under this key.
        InvalidValue: an empty key, one that is too long, or one with control characters.
    """
    if key is None:
        return do()
    name = line(key, "an idempotency key", longest=LONGEST_KEY)
    asked = fingerprint(act, what, parts)
    before = tx.get(Remembered, name)
    if before is not None:
        if before.fingerprint != asked:
            made = instant_text(before.made_at)
            raise IdempotencyMismatch("another request was made under this key", made_at=made)
        return recall(json.loads(before.result))
    first = Remembered(key=name, fingerprint=asked, result="{}", made_at=act.at)
    tx.insert([first])
    result = do()
    tx.upsert([evolve(first, result=json.dumps(dict(ids(result)), sort_keys=True))])
    return result
