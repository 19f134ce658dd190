"""What a plan to import a file is made of, and what came of applying it. Values, and text about them."""

from __future__ import annotations

import enum
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve, field, frozen

from assetflow.files import write_table

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from assetflow.exchange.imports.applying import Desk
    from assetflow.exchange.imports.sheet import Draft
    from assetflow.files import Notice
    from assetflow.model import BatchId, DistrictId, ImportBatch
    from assetflow.store.ports import Head

__all__ = [
    "REJECT_HEADINGS",
    "Change",
    "ColumnUse",
    "Finding",
    "ImportPlan",
    "ImportReport",
    "Importer",
    "Outcome",
    "PlannedRow",
    "Reject",
    "Rows",
]

REJECT_HEADINGS = ("assetflow_line", "assetflow_column", "assetflow_reason")
"""The columns that a rejects file has before those of the original."""

_SHOWN = 10


class Outcome(enum.Enum):
    """What applying a row does."""

    ADD = "add"
    """A record is made."""
    CHANGE = "change"
    """Fields of a record change."""
    UNCHANGED = "unchanged"
    """The row says nothing new."""


@frozen
class ColumnUse:
    """What a column of the file is taken for."""

    heading: str
    """The heading as the file has it."""
    field: str | None
    """The field that it fills; ``None`` when it is not used."""
    personal: bool = False
    """Whether it is about a person: its cells are never shown."""


@frozen
class Change:
    """A field that a row sets."""

    field: str
    """The field."""
    before: str | None = None
    """What the record says now, as text; ``None`` when it is empty or personal."""
    after: str | None = None
    """What it will say, as text; ``None`` when it becomes empty or is personal."""


@frozen(kw_only=True)
class PlannedRow:
    """What will be done with a row."""

    line: int
    """The line of the file at which it begins."""
    part: str = ""
    """The file within an archive."""
    outcome: Outcome
    """What is done."""
    subject_id: str | None = None
    """The id of the record that it changes; ``None`` for a new one."""
    matched_by: str | None = None
    """The field by which that record was found."""
    changes: tuple[Change, ...] = ()
    """The fields that it sets."""

    def as_dict(self) -> dict[str, object]:
        """The row as plain data."""
        return {
            "line": self.line,
            "part": self.part,
            "outcome": self.outcome.value,
            "subject_id": self.subject_id,
            "matched_by": self.matched_by,
            "changes": {c.field: [c.before, c.after] for c in self.changes},
        }


@frozen(kw_only=True)
class Finding:
    """One thing that keeps a row out. It never holds a cell of the file."""

    code: str
    """A stable code, such as ``unknown-site``."""
    reason: str
    """What is wrong, and what to do."""
    column: str | None = None
    """The heading of the column at fault."""
    candidates: tuple[str, ...] = ()
    """Ids of the records that it could mean, at most ten."""


@frozen
class Reject:
    """A row that is not applied."""

    line: int
    """The line of the file at which it begins."""
    findings: tuple[Finding, ...]
    """Everything that is wrong with it, at least one."""
    part: str = ""
    """The file within an archive."""

    @property
    def column(self) -> str:
        """The columns at fault, as a rejects file shows them."""
        return "; ".join(dict.fromkeys(f.column for f in self.findings if f.column))

    @property
    def reason(self) -> str:
        """What is wrong, as a rejects file shows it."""
        return "; ".join(f"{f.column}: {f.reason}" if f.column else f.reason for f in self.findings)

    def as_dict(self) -> dict[str, object]:
        """The reject as plain data."""
        findings = [
            {
                "code": f.code,
                "reason": f.reason,
                "column": f.column,
                "candidates": list(f.candidates),
            }
            for f in self.findings
        ]
        return {"line": self.line, "part": self.part, "findings": findings}


class Rows(Protocol):
    """The rows of a file, as read."""

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of the original."""

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """The rows that could be read."""

    def original(self, reject: Reject) -> tuple[str, ...]:
        """What a rejects file shows of a row."""


class Importer(Protocol):
    """The options that a plan was made with."""

    def desk(self, sheet: Any) -> Desk:
        """What decides about the rows."""


@frozen(kw_only=True)
class ImportPlan:
    """What applying a file would do. Nothing is written by making it, looking at it or keeping it.

    It holds the rows of the file, so treat it like the file: it is not for logs. Its ``repr``,
    ``summary()`` and ``as_dict()`` show no cell of a column about people.
    """

    what: str
    """``devices`` or ``people``."""
    district: DistrictId
    """The district that it was made for."""
    name: str
    """The file's name."""
    digest: str
    """SHA-256 of the file's bytes and of all that was said about reading it, hexadecimal."""
    columns: tuple[ColumnUse, ...]
    """What each column of the file is taken for, in its order."""
    match_on: tuple[str, ...]
    """The fields by which a row finds its record, the first before the others."""
    encoding: str
    """How the file's characters are encoded."""
    delimiter: str
    """What stands between cells."""
    rows: tuple[PlannedRow, ...] = field(repr=False)
    """The rows that will be applied, in the order of the file."""
    rejects: tuple[Reject, ...] = field(repr=False)
    """The rows that will not, in the order of the file."""
    notices: tuple[Notice, ...] = ()
    """What was decided about the file, or looks odd in it."""
    applied: ImportBatch | None = None
    """The batch under which this very file was applied before."""
    head: Head = field(repr=False)
    """The end of the journal when the plan was made."""
    sheet: Rows = field(repr=False, eq=False)
    """The rows of the file, as read."""
    how: Importer = field(repr=False, eq=False)
    """The options that it was made with."""

    def count(self, outcome: Outcome) -> int:
        """How many rows come to that."""
        return sum(row.outcome is outcome for row in self.rows)

    @property
    def adds(self) -> tuple[PlannedRow, ...]:
        """Rows that make a record."""
        return tuple(r for r in self.rows if r.outcome is Outcome.ADD)

    @property
    def changes(self) -> tuple[PlannedRow, ...]:
        """Rows that change one."""
        return tuple(r for r in self.rows if r.outcome is Outcome.CHANGE)

    @property
    def unchanged(self) -> tuple[PlannedRow, ...]:
        """Rows that say nothing new."""
        return tuple(r for r in self.rows if r.outcome is Outcome.UNCHANGED)

    @property
    def conflicts(self) -> tuple[Reject, ...]:
        """The rejects that can be read, but contradict what the district holds or one another."""
        return tuple(r for r in self.rejects if any(f.code in CONFLICTS for f in r.findings))

    @property
    def total(self) -> int:
        """Data rows of the file."""
        return len(self.rows) + len(self.rejects)

    def write_rejects(self, path: str | os.PathLike[str]) -> int:
        """Write the rejected rows to a CSV file that can be corrected and imported as it is.

        It has the columns of the original, and before them line, column and reason; give it the
        same options as the original. It holds the rows as they were, personal data included, and
        only its owner may read it.

        Returns:
            How many rows were written; none writes no file.

        Raises:
            FileError: it cannot be written there.
        """
        if not self.rejects:
            return 0
        headings = (*REJECT_HEADINGS, *self.sheet.headings)
        return write_table(path, headings, self._reject_rows())

    def _reject_rows(self) -> Iterator[tuple[str, ...]]:
        for reject in self.rejects:
            yield (
                str(reject.line),
                reject.column,
                reject.reason,
                *self.sheet.original(reject),
            )

    def check(self) -> None:
        """Refuse to be applied, when what it would do is too much to be right."""

    def summary(self) -> str:
        """The plan as a person reads it."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        mark = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}.get(
            self.delimiter, "other"
        )
        yield f"{self.name}: {_rows(self.total)}, {self.encoding}, {mark} between cells"
        yield from self._applied_line()
        yield f"  matched on {', then '.join(self.match_on)}"
        width = max((len(c.heading) for c in self.columns if c.field), default=0)
        yield from (f"  {c.heading:<{width}}  -> {c.field}" for c in self.columns if c.field)
        unused = [c.heading for c in self.columns if not c.field]
        if unused:
            yield f"  not used: {', '.join(unused)}"
        add, change, same = (self.count(outcome) for outcome in Outcome)
        yield f"  {_counts(add, change, same, len(self.rejects))}"
        for name, count in Counter(c.field for r in self.changes for c in r.changes).most_common():
            yield f"    {name} changes in {_rows(count)}"
        yield from self._tail()

    def _applied_line(self) -> Iterator[str]:
        if self.applied is not None:
            when = self.applied.applied_at.date().isoformat()
            yield f"  applied already on {when}, batch {self.applied.id}; applying it again does nothing"

    def _tail(self) -> Iterator[str]:
        yield from _notice_lines(self.notices)
        for reject in self.rejects[:_SHOWN]:
            where = f"{reject.part} line" if reject.part else "line"
            yield f"  {where} {reject.line}: {reject.reason}"
        if len(self.rejects) > _SHOWN:
            yield f"  and {len(self.rejects) - _SHOWN:,} more rejected"

    def as_dict(self) -> dict[str, object]:
        """The plan as plain data, for ``--json`` output."""
        return {
            "what": self.what,
            "file": self.name,
            "digest": self.digest,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "match_on": list(self.match_on),
            "columns": [
                {"heading": c.heading, "field": c.field, "personal": c.personal}
                for c in self.columns
            ],
            "counts": _count_dict(
                self.count(Outcome.ADD),
                self.count(Outcome.CHANGE),
                self.count(Outcome.UNCHANGED),
                len(self.rejects),
            ),
            "applied": None if self.applied is None else self.applied.id,
            "rows": [r.as_dict() for r in self.rows if r.outcome is not Outcome.UNCHANGED],
            "rejects": [r.as_dict() for r in self.rejects],
            "notices": [n.as_dict() for n in self.notices],
        }


CONFLICTS = frozenset(
    {
        "ambiguous",
        "asset-tag-taken",
        "contradicts",
        "duplicate",
        "in-other-hands",
        "out-of-service",
        "person-left",
        "recorded-otherwise",
        "serial-taken",
    }
)
"""Codes of findings about rows that contradict what the district holds, or one another."""


@frozen(kw_only=True)
class ImportReport:
    """What came of applying a plan."""

    what: str
    """``devices``, ``people`` or ``roster``."""
    name: str
    """The file's name."""
    batch_id: BatchId
    """The batch that its events belong to."""
    again: bool
    """Whether this very file had been applied before, so that nothing was done now."""
    resumed: bool = False
    """Whether it finished what an earlier, interrupted run had begun."""
    created: int = 0
    """Records made, an interrupted run's included."""
    changed: int = 0
    """Records changed, likewise."""
    unchanged: int = 0
    """Rows that said nothing new."""
    rejected: int = 0
    """Rows that were not applied."""
    notices: tuple[Notice, ...] = ()
    """The plan's notices."""

    def summary(self) -> str:
        """The report as a person reads it."""
        if self.again:
            return f"{self.name}: applied before as batch {self.batch_id}; nothing was changed"
        done = _counts(self.created, self.changed, self.unchanged, self.rejected, past=True)
        more = "; finished what an interrupted run began" if self.resumed else ""
        lines = [f"{self.name}: {done}{more}", f"  batch {self.batch_id}"]
        return "\n".join([*lines, *_notice_lines(self.notices)])

    def as_dict(self) -> dict[str, object]:
        """The report as plain data, for ``--json`` output."""
        return {
            "what": self.what,
            "file": self.name,
            "batch_id": self.batch_id,
            "again": self.again,
            "resumed": self.resumed,
            "counts": _count_dict(self.created, self.changed, self.unchanged, self.rejected),
            "notices": [n.as_dict() for n in self.notices],
        }


def batch_report(
    batch: ImportBatch,
    name: str,
    *,
    again: bool,
    resumed: bool = False,
    notices: tuple[Notice, ...] = (),
) -> ImportReport:
    """The report about a batch."""
    return ImportReport(
        what=batch.what,
        name=name,
        batch_id=batch.id,
        again=again,
        resumed=resumed,
        created=batch.created,
        changed=batch.changed,
        unchanged=batch.unchanged,
        rejected=batch.rejected,
        notices=notices,
    )


def merged(notices: list[Notice]) -> tuple[Notice, ...]:
    """Notices of one code and column as one, with the lines of all."""
    found: dict[tuple[str, str | None], Notice] = {}
    for notice in notices:
        key = (notice.code, notice.column)
        old = found.get(key)
        if old is None:
            found[key] = notice
        else:
            lines = tuple(sorted({*old.lines, *notice.lines})[:5])
            found[key] = evolve(old, count=old.count + notice.count, lines=lines)
    return tuple(found.values())


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _counts(add: int, change: int, same: int, out: int, *, past: bool = False) -> str:
    words = ("added", "changed") if past else ("to add", "to change")
    return f"{add:,} {words[0]}, {change:,} {words[1]}, {same:,} the same, {out:,} rejected"


def _count_dict(add: int, change: int, same: int, out: int) -> Mapping[str, int]:
    return {"added": add, "changed": change, "unchanged": same, "rejected": out}


def _notice_lines(notices: tuple[Notice, ...]) -> Iterator[str]:
    for notice in notices:
        where = f"{notice.column}: " if notice.column else ""
        told = ", ".join(map(str, notice.lines)) + (
            ", ..." if notice.count > len(notice.lines) else ""
        )
        lines = f" (line{'s' if notice.count > 1 else ''} {told})"
        yield f"  note: {where}{notice.message}{lines if notice.lines else ''}"
