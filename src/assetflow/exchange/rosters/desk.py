"""What a row of a roster means for the district's places and people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from assetflow.exchange.imports.fields import grade_code
from assetflow.exchange.imports.match import Findings, match_person
from assetflow.exchange.imports.people_index import KnownPerson, PeopleIndex
from assetflow.exchange.imports.places import place_text
from assetflow.exchange.imports.plan import Change, Finding, Outcome, PlannedRow, Reject
from assetflow.exchange.imports.sheet import Draft
from assetflow.exchange.rosters.places import (
    ABSENT,
    GUARDIANS,
    ORGS,
    USERS,
    DecidedRow,
    OrgBook,
    text_of,
)
from assetflow.files import Notice
from assetflow.model import (
    F,
    Guardianship,
    Person,
    PersonId,
    PersonKind,
    PersonLink,
    PersonStatus,
    Place,
    Query,
)
from assetflow.rules.derived import fold_email
from assetflow.workflows.edits import changed_fields
from assetflow.workflows.people import (
    change_person_entry,
    guardian_entry,
    leave_person_entry,
    register_person_entry,
)

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.connectors.oneroster import Roster, RosterRow
    from assetflow.model import ObservedPerson, Record
    from assetflow.store.ports import Entry, Key, ReadTransaction
    from assetflow.workflows.acting import Act

__all__ = ["RosterDesk"]

_COLUMNS = {"local_id": "identifier", "email": "email"}
_SHOWN = ("kind", "status", "grade", "left_on")


@define
class RosterDesk:
    """Decides about rows of a roster. Reads; writes nothing."""

    roster: Roster
    """The archive."""
    source: str
    """The name under which its ids are remembered."""
    notices: list[Notice] = field(factory=list, init=False)
    """What looks odd."""
    _orgs: OrgBook = field(init=False)
    _people: PeopleIndex = field(factory=PeopleIndex, init=False)
    _links: dict[str, PersonLink] = field(factory=dict, init=False, repr=False)
    _linked: dict[PersonId, str] = field(factory=dict, init=False, repr=False)
    _wards: dict[PersonId, list[Guardianship]] = field(factory=dict, init=False)
    _words: dict[str, str] = field(factory=dict, init=False, repr=False)
    _coming: set[str] = field(factory=set, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._orgs = OrgBook(source=self.source, notices=self.notices)

    # --- reading ----------------------------------------------------------------------------

    def load(self, tx: ReadTransaction) -> None:
        """Read what deciding needs to know of the whole district."""
        self._orgs.load(tx)
        ours = F.source == self.source
        self._people = PeopleIndex.load(tx)
        for link in tx.find(Query(kind=PersonLink, where=ours)):
            if link.source_id is not None and link.person_id in self._people.by_id:
                self._links[link.source_id] = link
                self._linked[link.person_id] = link.source_id
        for guardianship in tx.find(Query(kind=Guardianship)):
            self._wards.setdefault(guardianship.student_id, []).append(guardianship)
        for row in self.roster.people:
            if row.observed.kind is PersonKind.GUARDIAN:
                self._words[row.observed.source_id] = row.word

    def linked_people(self) -> set[str]:
        """Ids of the people whom an earlier roster had, and who are there."""
        known = self._people.by_id
        return {i for i in self._linked if known[i].status is not PersonStatus.LEFT}

    def absent(self, *, apart: Collection[str]) -> list[Draft]:
        """Those of them whom this roster does not have.

        Args:
            apart: Ids of people whom a row of the roster means, or may mean, under another id.
        """
        seen = self.roster.seen
        ids = sorted(self.linked_people() - set(apart))
        gone = [i for i in ids if self._linked[PersonId(i)] not in seen]
        return [Draft(n, {"absent": i}, ABSENT) for n, i in enumerate(gone, 1)]

    def withdraw(self, source_ids: Iterable[str]) -> None:
        """Rows about these people will not be written after all."""
        self._coming.difference_update(source_ids)

    def locks(self, rows: Iterable[PlannedRow]) -> list[tuple[type[Record], Key]]:
        """What must not move while these rows are written."""
        return [
            (Place if r.part == ORGS else Person, (r.subject_id,))
            for r in rows
            if r.subject_id is not None
        ]

    # --- deciding ---------------------------------------------------------------------------

    def decide(
        self, tx: ReadTransaction, drafts: Sequence[Draft], *, at: datetime
    ) -> list[DecidedRow]:
        """What each of these rows means now."""
        del at
        wanted: dict[tuple[str, int], tuple[PersonId | None, str | None] | Findings] = {}
        for draft in drafts:
            if draft.part != ORGS:
                wanted[draft.part, draft.line] = self._who(draft)
        ids = {w[0] for w in wanted.values() if not isinstance(w, Findings) and w[0] is not None}
        people = {p.id: p for p in tx.get_many(Person, [(i,) for i in sorted(ids)]).values()}
        decided = []
        for draft in drafts:
            try:
                if draft.part == ORGS:
                    decided.append(self._orgs.decide(draft))
                    continue
                who = wanted[draft.part, draft.line]
                if isinstance(who, Findings):
                    raise who
                person = None if who[0] is None else people.get(who[0])
                decided.append(self._about(draft, person, who[1]))
            except Findings as wrong:
                reject = Reject(draft.line, wrong.findings, draft.part)
                decided.append(DecidedRow(draft=draft, reject=reject))
        return decided

    def _about(self, draft: Draft, person: Person | None, how: str | None) -> DecidedRow:
        if draft.part == USERS:
            return self._person(draft, draft.values["user"], person, how)
        if draft.part == GUARDIANS:
            return self._guardians(draft, draft.values["guardians"].observed, person)
        gone = person is None or person.status is PersonStatus.LEFT
        row = PlannedRow(
            line=draft.line,
            part=ABSENT,
            outcome=Outcome.UNCHANGED if gone else Outcome.CHANGE,
            subject_id=draft.values["absent"],
            matched_by="source-id",
            changes=()
            if gone or person is None
            else (Change("status", person.status.value, "left"),),
        )
        return DecidedRow(draft=draft, row=row, before=person)

    def _who(self, draft: Draft) -> tuple[PersonId | None, str | None] | Findings:
        """The person whom a row is about: by the source's id, else by number, else by address."""
        if draft.part == ABSENT:
            return draft.values["absent"], "source-id"
        row: RosterRow[ObservedPerson] = draft.values.get("user") or draft.values["guardians"]
        person = row.observed
        if person.source_id in self._links:
            return self._links[person.source_id].person_id, "source-id"
        if draft.part == GUARDIANS:
            return None, None
        values = {"local_id": person.local_id, "email": person.email}
        if not any(values.values()):
            return None, None
        try:
            match = match_person(self._people, values, ("local_id", "email"), _COLUMNS, person.kind)
        except Findings as wrong:
            return wrong
        if match.person_id is not None and not self._may_link(match.person_id):
            reason = "is a person whom the roster has under another id too"
            finding = Finding(
                code="contradicts", reason=reason, column="sourcedId", candidates=(match.person_id,)
            )
            return Findings([finding])
        return match.person_id, match.how

    def _may_link(self, person_id: PersonId) -> bool:
        """Whether a person's id at the source may become another: when a whole roster lacks the old one."""
        old = self._linked.get(person_id)
        if old is None:
            return True
        return self.roster.modes["users"] == "bulk" and old not in self.roster.seen

    # --- people -----------------------------------------------------------------------------

    def _person(
        self, draft: Draft, row: RosterRow[ObservedPerson], before: Person | None, how: str | None
    ) -> DecidedRow:
        seen = row.observed
        gone = seen.status is PersonStatus.LEFT
        if before is None and gone:
            message = "people who are gone, and whom the district never knew, are left out"
            self._note("gone-unknown", message, draft)
            return DecidedRow(
                draft=draft, row=PlannedRow(line=draft.line, part=USERS, outcome=Outcome.UNCHANGED)
            )
        if before is not None and before.kind is not seen.kind:
            reason = f"says {seen.kind.value}, while the district knows the person as {before.kind.value}"
            raise Findings(
                [Finding(code="contradicts", reason=reason, column="role", candidates=(before.id,))]
            )
        base = before or Person(id=PersonId("new"), kind=seen.kind)
        after = self._observed(draft, base, seen)
        link = how != "source-id"
        names = changed_fields(base, after)
        if before is None:
            names = ("kind", *names)
        changes = [self._change(n, before, after) for n in names]
        if before is not None and link:
            changes.append(Change("link"))
        outcome = (
            Outcome.ADD if before is None else Outcome.CHANGE if changes else Outcome.UNCHANGED
        )
        planned = PlannedRow(
            line=draft.line,
            part=USERS,
            outcome=outcome,
            subject_id=before.id if before else None,
            matched_by=how,
            changes=tuple(changes),
        )
        if link:
            self._coming.add(seen.source_id)
        return DecidedRow(draft=draft, row=planned, before=before, after=after, link=link)

    def _observed(self, draft: Draft, base: Person, seen: ObservedPerson) -> Person:
        """The person with what the roster says; what it leaves empty stays."""
        said: dict[str, Any] = {
            "local_id": seen.local_id,
            "given_name": seen.given_name,
            "family_name": seen.family_name,
            "preferred_name": seen.preferred_name,
            "grade": grade_code(seen.grade) if seen.grade else None,
            "status": seen.status,
        }
        if seen.email and fold_email(seen.email) != fold_email(base.email):
            said["email"] = seen.email
        if seen.place_source_id is not None:
            said["site_id"] = self._orgs.place_of(seen.place_source_id)
            if said["site_id"] is None:
                message = (
                    "users belong to organisations that the roster does not have; they have no site"
                )
                self._note("unknown-org", message, draft)
        return evolve(base, **{n: v for n, v in said.items() if v is not None})

    def _change(self, name: str, before: Person | None, after: Person) -> Change:
        if name == "site_id":
            old = None if before is None else self._orgs.get(before.site_id)
            return Change("site", place_text(old), place_text(self._orgs.get(after.site_id)))
        if name not in _SHOWN:
            return Change(name)
        return Change(
            name,
            None if before is None else text_of(getattr(before, name)),
            text_of(getattr(after, name)),
        )

    def _note(self, code: str, message: str, draft: Draft) -> None:
        self.notices.append(
            Notice(code=code, message=message, column=draft.part, lines=(draft.line,))
        )

    # --- guardians --------------------------------------------------------------------------

    def _guardians(
        self, draft: Draft, student: ObservedPerson, person: Person | None
    ) -> DecidedRow:
        """The guardians of a student: those named, and no longer those of a whole roster who are not."""
        named = [g for g in student.guardian_source_ids if self._is_guardian(g)]
        if len(named) < len(student.guardian_source_ids):
            message = (
                "students name agents who are no guardians that the roster has; they are left out"
            )
            self._note("unknown-guardian", message, draft)
        held = {} if person is None else {g.guardian_id: g for g in self._wards.get(person.id, [])}
        comes = person is not None or student.source_id in self._coming
        adds = tuple(g for g in named if comes and not self._recorded(g, held))
        removes = []
        if self.roster.modes["users"] == "bulk":
            removes = [
                g for i, g in held.items() if i in self._linked and self._linked[i] not in named
            ]
        changes = []
        if adds or removes:
            changes = [Change("guardians")]
        planned = PlannedRow(
            line=draft.line,
            part=GUARDIANS,
            outcome=Outcome.CHANGE if changes else Outcome.UNCHANGED,
            changes=tuple(changes),
        )
        return DecidedRow(
            draft=draft, row=planned, before=person, adds=adds, removes=tuple(removes)
        )

    def _is_guardian(self, source_id: str) -> bool:
        link = self._links.get(source_id)
        if link is None:
            return source_id in self._coming and source_id in self._words
        return self._people.by_id[link.person_id].kind is PersonKind.GUARDIAN

    def _recorded(self, source_id: str, held: Mapping[PersonId, Guardianship]) -> bool:
        link = self._links.get(source_id)
        known = None if link is None else held.get(link.person_id)
        return known is not None and known.relation == self._words.get(source_id, known.relation)

    # --- writing ----------------------------------------------------------------------------

    def entries(
        self, act: Act, decided: Sequence[DecidedRow], *, entropy: Callable[[int], bytes]
    ) -> list[list[Entry]]:
        """What is written for these rows, in groups that follow one another."""
        first: list[Entry] = []
        second: list[Entry] = []
        for one in decided:
            if one.row is None or one.row.outcome is Outcome.UNCHANGED:
                continue
            if one.row.part == ORGS:
                self._orgs.write(act, one, first)
            elif one.row.part == USERS:
                self._write_person(act, one, first, entropy)
            elif one.row.part == GUARDIANS:
                self._write_guardians(act, one, second)
            elif (left := leave_person_entry(act, one.before, source=self.source)) is not None:
                first.append(left)
        return [first, second]

    def _write_person(
        self, act: Act, one: DecidedRow, entries: list[Entry], entropy: Callable[[int], bytes]
    ) -> None:
        source_id = one.draft.values["user"].observed.source_id
        after = evolve(one.after, site_id=self._orgs.real(one.after.site_id))
        if one.before is None:
            after = evolve(after, id=PersonId(act.new_id()))
            link = PersonLink(person_id=after.id, source=self.source, source_id=source_id)
            entries.append(
                register_person_entry(act, after, entropy=entropy, links=[link], source=self.source)
            )
            self._people.add(
                KnownPerson(
                    after.id, after.kind, after.status, after.local_id, fold_email(after.email)
                )
            )
            self._know(link)
            return
        links: list[PersonLink | tuple[PersonLink, PersonLink]] = []
        if one.link:
            link = PersonLink(person_id=after.id, source=self.source, source_id=source_id)
            old = self._links.get(self._linked.get(after.id, ""))
            links = [link if old is None else (old, evolve(old, source_id=source_id))]
            self._know(
                link if old is None else evolve(old, source_id=source_id, version=old.version + 1)
            )
        entry = change_person_entry(act, one.before, after, links=links, source=self.source)
        if entry is not None:
            entries.append(entry)

    def _know(self, link: PersonLink) -> None:
        if link.source_id is not None:
            self._links[link.source_id] = link
            self._linked[link.person_id] = link.source_id

    def _write_guardians(self, act: Act, one: DecidedRow, entries: list[Entry]) -> None:
        student = self._links.get(one.draft.values["guardians"].observed.source_id)
        if student is None:
            return
        held = {g.guardian_id: g for g in self._wards.get(student.person_id, [])}
        for source_id in one.adds:
            guardian = self._links.get(source_id)
            if guardian is None or guardian.person_id == student.person_id:
                continue
            before = held.get(guardian.person_id)
            after = Guardianship(
                student_id=student.person_id,
                guardian_id=guardian.person_id,
                relation=self._words.get(source_id),
            )
            if before is not None:
                after = evolve(before, relation=after.relation)
            entry = guardian_entry(act, after, before=before)
            if entry is not None:
                entries.append(entry)
                self._wards.setdefault(student.person_id, []).append(after)
        if one.removes and one.before is not None:
            gone = change_person_entry(
                act, one.before, one.before, removes=one.removes, source=self.source
            )
            if gone is not None:
                entries.append(gone)
