"""Who acts, when, and by which policy: what every workflow is given."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from attrs import field, frozen

from assetflow.model import Stamp

if TYPE_CHECKING:
    from assetflow.model import ActorId, BatchId, DistrictPolicy, NewId

__all__ = ["Act"]


@frozen(kw_only=True)
class Act:
    """One act of one actor. Time and ids come in here, so that a test can say which."""

    actor_id: ActorId
    """Who acts."""
    at: datetime
    """Now, in UTC."""
    new_id: NewId = field(repr=False)
    """Makes ids."""
    policy: DistrictPolicy = field(repr=False)
    """The district's settings."""
    effective_at: datetime | None = None
    """When it happened in the school, when that was not now."""
    reason: str | None = None
    """A code for the journal."""
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
