"""Who acts, when, and by which policy: what every workflow is given."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from assetflow.errors import InvalidValue
from assetflow.model import Stamp

if TYPE_CHECKING:
    from assetflow.model import ActorId, BatchId, DistrictPolicy, NewId

__all__ = ["Act"]

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#+-]{0,63}")


def _code(_: Act, __: Any, value: Any) -> None:
    """The journal cannot be erased, so free words stay out of it."""
    if value is not None and not (isinstance(value, str) and _CODE.fullmatch(value)):
        raise InvalidValue(
            "a reason is a code: letters, digits and . _ : / # + -, no spaces, at most 64",
            hint='Give the code as reason="hand-out" and the words as note="...": a note can be erased.',
        )


def _instant(_: Act, name: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None):
        raise InvalidValue(
            f"{name.name} is an instant with a time zone",
            hint="Use datetime.now(timezone.utc) or zoneinfo.",
        )


@frozen(kw_only=True)
class Act:
    """One act of one actor. Time and ids come in here, so that a test can say which.

    Raises:
        InvalidValue: an instant without a time zone, or a reason that is not a code.
    """

    actor_id: ActorId
    """Who acts."""
    at: datetime = field(validator=_instant)
    """Now, in UTC."""
    new_id: NewId = field(repr=False)
    """Makes ids."""
    policy: DistrictPolicy = field(repr=False)
    """The district's settings."""
    effective_at: datetime | None = field(default=None, validator=_instant)
    """When it happened in the school, when that was not now."""
    reason: str | None = field(default=None, validator=_code)
    """A code for the journal, such as ``hand-out``; never free words."""
    note_id: str | None = None
    """The erasable note."""
    batch_id: BatchId | None = None
    """The pull, import or session that it belongs to."""

    def stamp(self) -> Stamp:
        """What every event of this act carries."""
        return Stamp(
            actor_id=self.actor_id,
            recorded_at=self.at,
            effective_at=self.effective_at,
            reason=self.reason,
            note_id=self.note_id,
            batch_id=self.batch_id,
        )
