"""What a run of deliveries came to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

__all__ = ["DeliveryReport"]


@frozen(kw_only=True)
class DeliveryReport:
    """What a run of deliveries came to."""

    delivered: int
    """Deliveries that arrived."""
    events: int
    """Events in them."""
    failed: int
    """Attempts that failed."""
    dead: int
    """Deliveries that were given up."""
    waiting: int
    """Deliveries that wait, of webhooks that are not disabled."""
    next_at: datetime | None
    """When the next of them is due; ``None`` when none waits."""
    disabled: tuple[str, ...]
    """Names of webhooks that were disabled."""
    problems: Mapping[str, str]
    """Name of a webhook that could not be told, to the code of the error."""

    def summary(self) -> str:
        """The report in one line."""
        parts = [f"{self.delivered:,} delivered ({self.events:,} events)"]
        for count, what in ((self.failed, "attempts failed"), (self.dead, "given up")):
            parts += [f"{count:,} {what}"] if count else []
        parts += [f"{self.waiting:,} wait"] if self.waiting else []
        parts += [f"disabled: {', '.join(self.disabled)}"] if self.disabled else []
        parts += [f"{name}: {code}" for name, code in self.problems.items()]
        return "; ".join(parts)
