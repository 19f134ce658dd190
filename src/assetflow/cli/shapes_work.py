"""The rows about work done and about the setting up: runs, imports, checks, settings.

They belong to the interface that `assetflow.cli.shapes` describes.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

if TYPE_CHECKING:
    from assetflow.exchange.report import PullReport
    from assetflow.model import Run, RunItem

__all__ = [
    "AdoptedRow",
    "CheckRow",
    "ImportRow",
    "InitRow",
    "PullRow",
    "RejectRow",
    "RunItemRow",
    "RunRow",
    "SettingRow",
]


@frozen(kw_only=True)
class RunRow:
    """A pull."""

    id: str
    """Its id."""
    source: str
    """The source."""
    status: str
    """``running``, ``complete``, ``partial``, ``stopped`` or ``failed``."""
    started_at: datetime
    """When it began."""
    ended_at: datetime | None
    """When it ended."""
    seen: int
    """Records read."""
    created: int
    """Devices registered."""
    linked: int
    """Records matched to devices that were there."""
    changed: int
    """Records of known devices whose tracked fields changed."""
    unchanged: int
    """Records equal to the last observation, of devices that are known."""
    unmatched: int
    """Records that belong to no device: several could be it, or none may be made of it."""
    absent: int
    """Records that a complete listing no longer had."""
    disagreements: int
    """Fields on which source and district differ."""
    problems: int
    """Records that could not be read."""
    message: str | None
    """Why it stopped."""

    @classmethod
    def of(cls, run: Run) -> Self:
        """A run's row."""
        return cls(**_of_run(run))


def _of_run(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _RUN_FIELDS} | {"status": run.status.value}


_RUN_FIELDS = (
    "id",
    "source",
    "started_at",
    "ended_at",
    "seen",
    "created",
    "linked",
    "changed",
    "unchanged",
    "unmatched",
    "absent",
    "disagreements",
    "problems",
    "message",
)


@frozen(kw_only=True)
class RunItemRow:
    """What a pull did with one record."""

    source_id: str
    """The vendor's id of the record."""
    outcome: str
    """What happened."""
    device_id: str | None
    """The device, when it is known."""
    fields: tuple[str, ...]
    """Fields concerned."""
    reason: str | None
    """Why, as a code."""
    candidates: tuple[str, ...]
    """Ids of the devices that it could be."""

    @classmethod
    def of(cls, item: RunItem) -> Self:
        """An item's row."""
        return cls(
            source_id=item.source_id,
            outcome=item.outcome.value,
            device_id=item.device_id,
            fields=tuple(f for f in item.fields.split(",") if f),
            reason=item.reason,
            candidates=tuple(c for c in item.candidates.split(",") if c),
        )


@frozen(kw_only=True)
class PullRow(RunRow):
    """What a pull did, with what could not be read."""

    unreadable: tuple[str, ...]
    """Paths and ids of records that could not be read, at most 100."""

    @classmethod
    def of_report(cls, report: PullReport) -> Self:
        """A report's row."""
        return cls(**_of_run(report.run), unreadable=tuple(str(p) for p in report.problems))


@frozen(kw_only=True)
class RejectRow:
    """A row of a file that was refused. It holds no cell of the file."""

    line: int
    """The line at which it begins."""
    column: str
    """The columns at fault."""
    reason: str
    """What is wrong with it."""


@frozen(kw_only=True)
class ImportRow:
    """What came of a file."""

    what: str
    """``devices``, ``people`` or ``roster``."""
    applied: bool
    """Whether anything was written; a dry run only plans."""
    rows: int
    """Data rows in the file."""
    created: int
    """Records made, or that would be."""
    changed: int
    """Records changed, or that would be."""
    unchanged: int
    """Rows that said nothing new."""
    rejected: int
    """Rows that were refused."""
    rejects_file: str | None
    """Where the refused rows stand, each with its reason."""
    batch_id: str | None
    """The batch that its events belong to."""
    again: bool
    """Whether this very file was applied before, so that nothing was done."""
    rejects: tuple[RejectRow, ...]
    """The refused rows."""


@frozen(kw_only=True)
class CheckRow:
    """A line of ``assetflow doctor``."""

    check: str
    """What was looked at."""
    ok: bool
    """Whether it is right."""
    found: str
    """What was found, without secrets."""
    fix: str | None
    """What to do when it is not right."""


@frozen(kw_only=True)
class SettingRow:
    """A setting."""

    setting: str
    """Its name."""
    value: str
    """Its value; a secret is not shown."""
    source: str
    """Who says so."""


@frozen(kw_only=True)
class InitRow:
    """What ``assetflow init`` made."""

    file: str
    """The settings file."""
    store: str
    """The store."""
    district: str
    """Id of the district."""


@frozen(kw_only=True)
class AdoptedRow:
    """The policy that holds."""

    digest: str
    """SHA-256 of its canonical form, hexadecimal."""
    text: str
    """Its canonical text."""
