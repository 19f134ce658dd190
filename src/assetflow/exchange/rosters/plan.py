"""A roster in: organisations become places, users people, agents guardians; planned first, applied then.

A bulk roster is the whole truth: who was in an earlier one and is not in this one has left. That
is believed only when every row told its id, and refused when most of a roster would be gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from assetflow.connectors.oneroster import Roster, read_roster
from assetflow.errors import ChangeGuardTripped
from assetflow.exchange.imports.applying import batch_of, is_done
from assetflow.exchange.imports.plan import (
    Finding,
    ImportPlan,
    Outcome,
    PlannedRow,
    Reject,
    merged,
)
from assetflow.exchange.imports.sheet import Draft
from assetflow.exchange.rosters.desk import RosterDesk
from assetflow.exchange.rosters.places import ABSENT, GUARDIANS, ORGS, USERS
from assetflow.files import DEFAULT_LIMITS, FileLimits, Notice
from assetflow.model import ImportBatch, ObservedPlace, PersonKind
from assetflow.rules.derived import fold_email

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.connectors.oneroster import RosterRow
    from assetflow.files import Readable, Source
    from assetflow.store.ports import ReadTransaction

__all__ = ["RosterImport", "RosterPlan", "RosterSheet"]

_CHUNK = 1_000
_FLOOR = 5


@frozen
class RosterSheet:
    """The rows of a roster, in the order in which they are applied."""

    drafts: tuple[Draft, ...] = field(repr=False)
    """Places, parents first; people; the guardians of students; who is no longer there."""
    roster: Roster
    """The archive."""
    headings: tuple[str, ...] = ("file",)
    """A rejects file of a roster says where a row stands, not what is in it."""

    def original(self, reject: Reject) -> tuple[str, ...]:
        """The file in which a rejected row stands."""
        return (reject.part,)


@frozen(kw_only=True)
class RosterPlan(ImportPlan):
    """What applying a roster would do. Its rejects are mended where the roster comes from."""

    modes: Mapping[str, str | None]
    """``orgs`` and ``users`` to how the file is meant: ``bulk``, ``delta``, ``absent``."""
    known: int = 0
    """People whom an earlier roster had, and who are there."""
    leaving: int = 0
    """How many of them this one would make leave."""
    max_leaving_percent: int = 50
    """How many of them may, in percent."""

    @property
    def guarded(self) -> bool:
        """Whether it would make too many people leave to be right."""
        return self.known >= _FLOOR and self.leaving * 100 > self.known * self.max_leaving_percent

    def check(self) -> None:
        """Refuse a roster without most of the people whom the last one had.

        Raises:
            ChangeGuardTripped: it would make more people leave than is allowed.
        """
        if self.guarded:
            raise ChangeGuardTripped(
                f"the roster would make {self.leaving:,} of {self.known:,} people leave",
                hint="Look at the export: is it of one school? If it is right, say max_leaving_percent=100.",
                leaving=self.leaving,
                known=self.known,
                allowed_percent=self.max_leaving_percent,
            )

    def _lines(self) -> Iterator[str]:
        said = ", ".join(f"{name} {mode or 'unsaid'}" for name, mode in self.modes.items())
        yield f"{self.name}: OneRoster, {said}"
        yield from self._applied_line()
        for part, what in ((ORGS, "places"), (USERS, "people"), (GUARDIANS, "students' guardians")):
            counts = [sum(r.part == part and r.outcome is o for r in self.rows) for o in Outcome]
            rejected = sum(r.part == part for r in self.rejects)
            yield f"  {what}: {counts[0]:,} to add, {counts[1]:,} to change, {counts[2]:,} the same, {rejected:,} rejected"
        if self.modes.get("users") == "bulk":
            yield f"  no longer in the roster: {sum(r.part == ABSENT for r in self.rows):,} people leave"
        if self.guarded:
            yield f"  REFUSED as it is: {self.leaving:,} of {self.known:,} people would leave"
        yield from self._tail()


@frozen(kw_only=True)
class RosterImport:
    """How to import a OneRoster archive. All settings have defaults."""

    source: str = "oneroster"
    """The name under which its ids are remembered; another for a second system."""
    mode: str | None = None
    """``bulk`` or ``delta``, in place of what the manifest says."""
    encoding: str | None = None
    """The encoding of its files, when the caller knows it."""
    max_leaving_percent: int = 50
    """A roster that would make more of the people leave is refused."""
    limits: FileLimits = DEFAULT_LIMITS
    """How large the archive may be."""

    def plan(self, tx: ReadTransaction, file: Readable | Source, *, at: datetime) -> RosterPlan:
        """What applying a roster would do. Writes nothing.

        Args:
            tx: Where to read the district.
            file: The zip archive: a path, the bytes, or an open binary file.
            at: Now.

        Raises:
            FileError: the archive cannot be read or is refused.
            InvalidValue: a mode that there is not.
        """
        roster = read_roster(file, mode=self.mode, encoding=self.encoding, limits=self.limits)
        rejects = _problems(roster)
        drafts = [*_places(roster), *_people(roster, rejects)]
        wards = _wards(roster)
        sheet = RosterSheet((*drafts, *wards), roster)
        desk = self.desk(sheet)
        desk.load(tx)
        known = desk.linked_people()
        rows = _one_row_a_person(self._decide(tx, desk, drafts, rejects, at), rejects)
        out = {line for part, line in rejects if part == USERS}
        desk.withdraw(r.observed.source_id for r in roster.people if r.line in out)
        # Guardians of a student whose own row was rejected wait with it.
        rows += self._decide(tx, desk, [w for w in wards if w.line not in out], rejects, at)
        if roster.modes["users"] == "bulk" and roster.complete:
            meant = {r.subject_id for r in rows if r.subject_id is not None}
            maybe = {i for found in rejects.values() for f in found for i in f.candidates}
            gone = desk.absent(apart=meant | maybe)
            sheet = RosterSheet((*sheet.drafts, *gone), roster)
            rows += self._decide(tx, desk, gone, rejects, at)
        leaving = {r.subject_id for r in rows if r.part in (USERS, ABSENT) and _leaves(r)} & known
        return self._made(tx, sheet, desk, rows, rejects, len(known), len(leaving))

    def desk(self, sheet: RosterSheet) -> RosterDesk:
        """What decides about the rows of a roster."""
        return RosterDesk(roster=sheet.roster, source=self.source)

    def _decide(
        self,
        tx: ReadTransaction,
        desk: RosterDesk,
        drafts: Sequence[Draft],
        rejects: dict[tuple[str, int], list[Finding]],
        at: datetime,
    ) -> list[PlannedRow]:
        rows: list[PlannedRow] = []
        for start in range(0, len(drafts), _CHUNK):
            part = drafts[start : start + _CHUNK]
            chunk = [d for d in part if (d.part, d.line) not in rejects]
            for decided in desk.decide(tx, chunk, at=at):
                if decided.row is not None:
                    rows.append(decided.row)
                elif decided.reject is not None:
                    key = (decided.reject.part, decided.reject.line)
                    rejects[key] = list(decided.reject.findings)
        return rows

    def _made(
        self,
        tx: ReadTransaction,
        sheet: RosterSheet,
        desk: RosterDesk,
        rows: list[PlannedRow],
        rejects: Mapping[tuple[str, int], list[Finding]],
        known: int,
        leaving: int,
    ) -> RosterPlan:
        roster = sheet.roster
        said = {
            "what": "roster",
            "content": roster.digest,
            "source": self.source,
            "mode": self.mode,
        }
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        batch = tx.get(ImportBatch, batch_of(digest))
        notices = [*roster.notices, *desk.notices]
        if roster.modes["users"] == "bulk" and not roster.complete:
            message = "some rows told no id, so nobody is taken to have left"
            notices.append(Notice(code="absence-not-judged", message=message))
        return RosterPlan(
            what="roster",
            district=tx.district,
            name=roster.name,
            digest=digest,
            columns=(),
            match_on=("source-id", "local_id", "email"),
            encoding=self.encoding or "utf-8",
            delimiter=",",
            rows=tuple(rows),
            rejects=tuple(Reject(n, tuple(f), part) for (part, n), f in sorted(rejects.items())),
            notices=merged(notices),
            applied=batch if is_done(batch, rows) else None,
            head=tx.head(),
            sheet=sheet,
            how=self,
            modes=roster.modes,
            known=known,
            leaving=leaving,
            max_leaving_percent=self.max_leaving_percent,
        )


def _leaves(row: PlannedRow) -> bool:
    return any(c.field == "status" and c.after == "left" for c in row.changes)


def _one_row_a_person(
    rows: list[PlannedRow], rejects: dict[tuple[str, int], list[Finding]]
) -> list[PlannedRow]:
    """Two rows that find the same person by different fields are refused, both of them."""
    owners: dict[str, list[PlannedRow]] = {}
    for row in rows:
        if row.part == USERS and row.subject_id is not None:
            owners.setdefault(row.subject_id, []).append(row)
    for subject_id, named in owners.items():
        for row in named if len(named) > 1 else ():
            reason = "is one of several rows about the same person"
            finding = Finding(code="duplicate", reason=reason, candidates=(subject_id,))
            rejects[row.part, row.line] = [finding]
    return [r for r in rows if (r.part, r.line) not in rejects]


def _problems(roster: Roster) -> dict[tuple[str, int], list[Finding]]:
    found: dict[tuple[str, int], list[Finding]] = {}
    for problem in roster.problems:
        finding = Finding(code=problem.code, reason=problem.message, column=problem.column)
        found.setdefault((problem.file, problem.line), []).append(finding)
    return found


def _places(roster: Roster) -> list[Draft]:
    """Organisations, each after the one that it belongs to."""
    rows = {r.observed.source_id: r for r in roster.places}
    done: dict[str, RosterRow[ObservedPlace]] = {}
    for source_id in rows:
        path: list[str] = []
        current: str | None = source_id
        while current in rows and current not in done and current not in path:
            path.append(current)
            current = rows[current].observed.parent_source_id
        done |= {i: rows[i] for i in reversed(path)}
    return [Draft(row.line, {"org": row}, ORGS) for row in done.values()]


def _people(roster: Roster, rejects: dict[tuple[str, int], list[Finding]]) -> list[Draft]:
    """Users; those who share a number within a kind, or an account, are refused, all of them."""
    owners: dict[tuple[str, Any], list[int]] = {}
    for row in roster.people:
        person = row.observed
        if person.local_id:
            owners.setdefault(("identifier", (person.kind, person.local_id)), []).append(row.line)
        address = fold_email(person.email)
        if address and person.kind is not PersonKind.GUARDIAN:
            owners.setdefault(("email", address), []).append(row.line)
    for (column, _), lines in owners.items():
        for line in lines if len(lines) > 1 else ():
            others = ", ".join(str(n) for n in lines if n != line)
            finding = Finding(
                code="duplicate", reason=f"stands in line {others} too", column=column
            )
            rejects.setdefault((USERS, line), []).append(finding)
    return [Draft(row.line, {"user": row}, USERS) for row in roster.people]


def _wards(roster: Roster) -> list[Draft]:
    """One draft for each student, to come after all people."""
    students = [r for r in roster.people if r.observed.kind is PersonKind.STUDENT and not r.removed]
    return [Draft(row.line, {"guardians": row}, GUARDIANS) for row in students]
