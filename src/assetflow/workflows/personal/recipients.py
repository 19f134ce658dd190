"""Who is given de-identified records: each has a key of their own, made at the first export."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from assetflow.errors import InvalidValue
from assetflow.model import Recipient

if TYPE_CHECKING:
    from assetflow.store.ports import Transaction
    from assetflow.workflows.acting import Act

__all__ = ["recipient_for"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def recipient_for(
    tx: Transaction, act: Act, name: str, *, entropy: Callable[[int], bytes]
) -> Recipient:
    """The recipient of that name; new, with a key of their own, when there is none.

    Args:
        tx: Where to write.
        act: When.
        name: A code, such as ``state-university``.
        entropy: Gives that many random bytes.

    Raises:
        InvalidValue: a name that is no code.
    """
    if not _NAME.fullmatch(name):
        hint = "Lower-case letters, digits and hyphens, such as state-university."
        raise InvalidValue("a recipient's name is a code", hint=hint)
    known = tx.get(Recipient, name)
    if known is not None:
        return known
    made = Recipient(name=name, secret=entropy(32), made_at=act.at)
    tx.insert([made])
    return made
