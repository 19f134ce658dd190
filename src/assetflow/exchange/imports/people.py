"""What a row of a list of people means for the district's people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from assetflow.exchange.imports.cells import BadCell
from assetflow.exchange.imports.match import Findings, MatchedPerson, match_person
from assetflow.exchange.imports.people_index import KnownPerson, PeopleIndex
from assetflow.exchange.imports.places import PlaceBook, place_text
from assetflow.exchange.imports.plan import Change, Finding, Outcome, PlannedRow, Reject
from assetflow.files import Notice
from assetflow.model import Person, PersonId, PersonKind, PersonStatus
from assetflow.rules.derived import fold_email
from assetflow.workflows.edits import changed_fields
from assetflow.workflows.people import change_person_entry, register_person_entry

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.exchange.imports.sheet import Draft, Sheet
    from assetflow.model import Record
    from assetflow.store.ports import Entry, Key, ReadTransaction
    from assetflow.workflows.acting import Act

__all__ = ["DecidedPerson", "PersonDesk"]

_FIELDS = (
    "kind", "status", "local_id", "given_name", "family_name", "preferred_name", "email", "grade",
    "homeroom", "left_on",
)  # fmt: skip
_SHOWN = ("kind", "status", "grade", "left_on")
_NEW = PersonId("new")
_STUDENT_UNSAID = "says not what the person is; add a column, or say defaults={'kind': 'student'}"


@frozen(kw_only=True)
class DecidedPerson:
    """What was decided about a row, and what is needed to write it."""

    row: PlannedRow | None = None
    """What will be done."""
    reject: Reject | None = None
    """Why nothing is."""
    before: Person | None = field(default=None, repr=False)
    """The person as read."""
    after: Person | None = field(default=None, repr=False)
    """The person as they are to be; the id of what is not there yet stands in."""


@define
class PersonDesk:
    """Decides about rows of a list of people. Reads; writes nothing."""

    sheet: Sheet
    """The file."""
    match_on: tuple[str, ...]
    """The fields by which a row finds its person."""
    places: PlaceBook
    """Sites."""
    notices: list[Notice] = field(factory=list, init=False)
    """What looks odd."""
    _people: PeopleIndex = field(factory=PeopleIndex, init=False)

    def load(self, tx: ReadTransaction) -> None:
        """Read what deciding needs to know of the whole district."""
        self._people = PeopleIndex.load(tx)
        self.places.load(tx)

    def locks(self, rows: Iterable[PlannedRow]) -> list[tuple[type[Record], Key]]:
        """What must not move while these rows are written."""
        return [(Person, (r.subject_id,)) for r in rows if r.subject_id is not None]

    def decide(
        self, tx: ReadTransaction, drafts: Sequence[Draft], *, at: datetime
    ) -> list[DecidedPerson]:
        """What each of these rows means now."""
        del at
        found = [self._match(draft) for draft in drafts]
        ids = sorted({m.person_id for m in found if isinstance(m, MatchedPerson) and m.person_id})
        people = {p.id: p for p in tx.get_many(Person, [(i,) for i in ids]).values()}
        decided = []
        for draft, match in zip(drafts, found, strict=True):
            try:
                if isinstance(match, Findings):
                    raise match
                before = None if match.person_id is None else people[match.person_id]
                decided.append(self._decide(draft, before, match.how))
            except Findings as wrong:
                decided.append(DecidedPerson(reject=Reject(draft.line, wrong.findings)))
        return decided

    def _column(self, name: str) -> str | None:
        return self.sheet.by_field.get(name)

    def kind_of(self, draft: Draft) -> PersonKind | None:
        """What a row says that its person is."""
        kind: PersonKind | None = draft.values.get("kind", self.sheet.defaults.get("kind"))
        return kind

    def keys(self, draft: Draft) -> Iterable[tuple[str, object]]:
        """What no two rows may share: a number within its kind; an address, but for guardians."""
        kind = self.kind_of(draft)
        if number := draft.values.get("local_id"):
            yield "local_id", (kind, number)
        address = fold_email(draft.values.get("email"))
        if address and kind is not PersonKind.GUARDIAN:
            yield "email", address

    def _match(self, draft: Draft) -> MatchedPerson | Findings:
        try:
            return match_person(
                self._people, draft.values, self.match_on, self.sheet.by_field, self.kind_of(draft)
            )
        except Findings as wrong:
            return wrong

    def _decide(self, draft: Draft, before: Person | None, how: str | None) -> DecidedPerson:
        values = (
            dict(draft.values) if before is not None else {**self.sheet.defaults, **draft.values}
        )
        wrong: list[Finding] = []
        if before is None and values.get("kind") is None:
            wrong.append(
                Finding(code="no-kind", reason=_STUDENT_UNSAID, column=self._column("kind"))
            )
        base = before or Person(id=_NEW, kind=values.get("kind") or PersonKind.STUDENT)
        if before is not None and values.get("kind", before.kind) is not before.kind:
            reason = f"the person is {before.kind.value}; a file does not make them something else"
            wrong.append(
                Finding(
                    code="contradicts",
                    reason=reason,
                    column=self._column("kind"),
                    candidates=(before.id,),
                )
            )
        new = {
            n: values[n]
            for n in _FIELDS
            if n in values and not _same(n, getattr(base, n), values[n])
        }
        after = evolve(base, **new)
        if "site" in values:
            try:
                text = values["site"]
                after = evolve(after, site_id=self.places.site(text).id if text else None)
            except BadCell as bad:
                wrong.append(bad.finding(self._column("site")))
        if after.left_on is not None and after.status is not PersonStatus.LEFT:
            after = self._leaving(values, after, wrong)
        if wrong:
            raise Findings(wrong)
        changes = self._changes(before, after)
        outcome = (
            Outcome.ADD if before is None else Outcome.CHANGE if changes else Outcome.UNCHANGED
        )
        row = PlannedRow(
            line=draft.line,
            outcome=outcome,
            subject_id=before.id if before else None,
            matched_by=how,
            changes=changes,
        )
        return DecidedPerson(row=row, before=before, after=after)

    def _leaving(self, values: Mapping[str, Any], after: Person, wrong: list[Finding]) -> Person:
        """A day of leaving says that they left, unless the row says that they are there."""
        if values.get("left_on") is None:
            return evolve(after, left_on=None)  # they are there again
        if "status" in values:
            reason = "names a day of leaving, while the row says that the person is there"
            wrong.append(Finding(code="contradicts", reason=reason, column=self._column("left_on")))
            return after
        return evolve(after, status=PersonStatus.LEFT)

    def _changes(self, before: Person | None, after: Person) -> tuple[Change, ...]:
        """The fields that change; of those that are about a person, the name alone."""
        base = before or Person(id=_NEW, kind=after.kind)
        names = changed_fields(base, after)
        if before is None:
            names = ("kind", *names)
        return tuple(self._change(n, before, after) for n in names)

    def _change(self, name: str, before: Person | None, after: Person) -> Change:
        if name == "site_id":
            old = None if before is None else place_text(self.places.get(before.site_id))
            return Change("site", old, place_text(self.places.get(after.site_id)))
        if name not in _SHOWN:
            return Change(name)
        old = None if before is None else _text(getattr(before, name))
        return Change(name, old, _text(getattr(after, name)))

    def entries(
        self, act: Act, decided: Sequence[DecidedPerson], *, entropy: Callable[[int], bytes]
    ) -> list[list[Entry]]:
        """What is written for these rows, in groups that follow one another."""
        entries: list[Entry] = []
        for one in decided:
            if one.after is None or one.row is None or one.row.outcome is Outcome.UNCHANGED:
                continue
            after = evolve(one.after, site_id=self.places.real(act, one.after.site_id, entries))
            if one.before is None:
                after = evolve(after, id=PersonId(act.new_id()))
                entry = register_person_entry(act, after, entropy=entropy, source="csv")
                entries.append(entry)
                known = KnownPerson(
                    after.id, after.kind, after.status, after.local_id, fold_email(after.email)
                )
                self._people.add(known)
            else:
                changed = change_person_entry(act, one.before, after, source="csv")
                if changed is not None:
                    entries.append(changed)
        return [entries]


def _same(name: str, have: Any, said: Any) -> bool:
    """Whether a cell says what the person's record has: addresses in whatever letter case."""
    if name == "email":
        return fold_email(have) == fold_email(said)
    return bool(have == said)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(getattr(value, "value", value))
