"""What a scenario found, as a row of the table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from harness.books import Auditor
    from harness.grounds import Ground

__all__ = ["Result"]


@frozen(kw_only=True)
class Result:
    """A row."""

    fault: str
    """What was done to it."""
    engine: str
    """The engine and its version."""
    times: str
    """How often."""
    acknowledged: int
    """Acts that were answered with success."""
    refused: int = 0
    """Acts that a rule refused."""
    unknown: int = 0
    """Acts that were cut off before their answer."""
    lost: int = 0
    """Acknowledged and not stored. A scenario that finds one fails, so a row says nought."""
    checks: int = 0
    """Complete comparisons of journal and tables."""
    seconds: float = 0.0
    """How long it took."""

    @classmethod
    def of(cls, fault: str, ground: Ground, auditor: Auditor, times: str, begun: float) -> Result:
        """The row of a scenario that an auditor watched."""
        return cls(
            fault=fault,
            engine=ground.version,
            times=times,
            acknowledged=auditor.acknowledged,
            refused=auditor.refused,
            unknown=auditor.unknown,
            checks=auditor.checks,
            seconds=time.monotonic() - begun,
        )
