"""What a pull tells: progress while it runs, and a report at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen

from assetflow.model import RunStatus

if TYPE_CHECKING:
    from assetflow.model import Run, RunId
    from assetflow.wire import Problem

__all__ = ["OnProgress", "Progress", "PullReport"]


@frozen(kw_only=True)
class Progress:
    """Where a pull stands."""

    run_id: RunId
    """The run."""
    source: str
    """The source's name."""
    phase: str
    """``plan``, ``read``, ``apply``, ``absence`` or ``done``."""
    seen: int = 0
    """Records read so far."""
    expected: int | None = None
    """Records that the source counts, when it counts."""
    shards_done: int = 0
    """Listings that are finished."""
    shards: int = 0
    """Listings in all."""
    applied: int = 0
    """New and changed records applied so far."""


OnProgress = Callable[[Progress], None]
"""Told at each step; must not raise."""


@frozen(kw_only=True)
class PullReport:
    """What a pull did."""

    run: Run
    """The run's row: counts and status."""
    problems: tuple[Problem, ...] = ()
    """Records that could not be read, at most 100: paths and ids, no values."""

    @property
    def complete(self) -> bool:
        """Whether every listing was proved complete, so that absence counts."""
        return self.run.status is RunStatus.COMPLETE

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        run = self.run
        return {
            "run_id": run.id,
            "source": run.source,
            "status": run.status.value,
            "seen": run.seen,
            "expected": run.expected,
            "created": run.created,
            "linked": run.linked,
            "changed": run.changed,
            "unchanged": run.unchanged,
            "unmatched": run.unmatched,
            "absent": run.absent,
            "disagreements": run.disagreements,
            "problems": run.problems,
            "resumed": run.resumed,
            "message": run.message,
        }

    def summary(self) -> str:
        """The report in a few lines for a person."""
        run = self.run
        counted = "" if run.expected is None else f" of {run.expected:,}"
        lines = [
            f"{run.source}: {run.status.value}, {run.seen:,}{counted} read",
            f"  new {run.created:,}   matched {run.linked:,}   changed {run.changed:,}   unchanged {run.unchanged:,}",
            f"  unmatched {run.unmatched:,}   absent {run.absent:,}   disagreements {run.disagreements:,}   unreadable {run.problems:,}",
        ]
        if run.resumed:
            lines.append(f"  taken up again {run.resumed} time(s)")
        if run.message:
            lines.append(f"  {run.message}")
        return "\n".join(lines)
