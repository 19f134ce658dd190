"""What a row about an organisation means for the district's places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from assetflow.exchange.imports.match import Findings
from assetflow.exchange.imports.places import place_text
from assetflow.exchange.imports.plan import Change, Finding, Outcome, PlannedRow, Reject
from assetflow.exchange.imports.sheet import Draft
from assetflow.files import Notice
from assetflow.model import F, Guardianship, Place, PlaceId, PlaceKind, PlaceLink, Query
from assetflow.rules.derived import fold_name
from assetflow.workflows.edits import changed_fields
from assetflow.workflows.places import place_entry

if TYPE_CHECKING:
    from assetflow.connectors.oneroster import RosterRow
    from assetflow.model import ObservedPlace
    from assetflow.store.ports import Entry, ReadTransaction
    from assetflow.workflows.acting import Act

__all__ = ["ABSENT", "GUARDIANS", "ORGS", "USERS", "DecidedRow", "OrgBook", "text_of"]

ORGS, USERS, GUARDIANS, ABSENT = "orgs.csv", "users.csv", "guardians", "absent"
"""Parts of a roster: two files, what the agents of users come to, and who is no longer there."""

_STANDS_IN = "new:"


@frozen(kw_only=True)
class DecidedRow:
    """What was decided about a row, and what is needed to write it."""

    row: PlannedRow | None = None
    """What will be done."""
    reject: Reject | None = None
    """Why nothing is."""
    draft: Draft = field(repr=False)
    """The row."""
    before: Any = field(default=None, repr=False)
    """The place or person as read."""
    after: Any = field(default=None, repr=False)
    """The place or person as it is to be."""
    link: bool = False
    """Whether the source's id becomes known here."""
    adds: tuple[str, ...] = field(default=(), repr=False)
    """The source's ids of guardians to record."""
    removes: tuple[Guardianship, ...] = ()
    """Guardianships that end."""


@define
class OrgBook:
    """The district's places by the ids that a roster has for them.

    A place that the roster would add has an id that only stands for it, until its row is
    written.
    """

    source: str
    """The name under which the roster's ids are remembered."""
    notices: list[Notice]
    """What looks odd."""
    _places: dict[PlaceId, Place] = field(factory=dict, init=False)
    _stored: dict[str, PlaceId] = field(factory=dict, init=False)
    _decided: dict[str, PlaceId] = field(factory=dict, init=False)

    def load(self, tx: ReadTransaction) -> None:
        """Read the district's places and the roster's links to them."""
        self._places = {p.id: p for p in tx.find(Query(kind=Place))}
        ours = Query(kind=PlaceLink, where=F.source == self.source)
        self._stored = {link.source_id: link.place_id for link in tx.find(ours)}

    def get(self, place_id: PlaceId | None) -> Place | None:
        """The place with that id, one that would be added included."""
        return None if place_id is None else self._places.get(place_id)

    def decide(self, draft: Draft) -> DecidedRow:
        """What a row about an organisation means.

        Raises:
            Findings: it has the code or name of several places.
        """
        row: RosterRow[ObservedPlace] = draft.values["org"]
        org = row.observed
        place_id, how = self._where(org)
        before = self._places.get(place_id) if place_id is not None else None
        parent = self.place_of(org.parent_source_id)
        if before is None:
            new = Place(
                id=PlaceId(_STANDS_IN + org.source_id),
                kind=org.kind,
                name=org.name,
                code=self._free_code(org.code, PlaceId(_STANDS_IN + org.source_id)),
                parent_id=parent,
                closed=row.removed,
            )
            self._places[new.id] = new
            self._decided[org.source_id] = new.id
            changes = [Change("kind", None, new.kind.value), Change("name", None, new.name)]
            planned = PlannedRow(
                line=draft.line, part=ORGS, outcome=Outcome.ADD, changes=tuple(changes)
            )
            return DecidedRow(draft=draft, row=planned, after=new, link=True)
        after = self._filled(before, org, parent, removed=row.removed)
        names = changed_fields(before, after)
        link = how != "source-id"
        if link:
            self._decided[org.source_id] = before.id
        changes = [
            Change(n, text_of(getattr(before, n)), text_of(getattr(after, n)))
            for n in names
            if n != "parent_id"
        ]
        if "parent_id" in names:
            changes.append(Change("parent", None, place_text(self.get(after.parent_id))))
        if link:
            changes.append(Change("link", None, self.source))
        planned = PlannedRow(
            line=draft.line,
            part=ORGS,
            outcome=Outcome.CHANGE if changes else Outcome.UNCHANGED,
            subject_id=before.id,
            matched_by=how,
            changes=tuple(changes),
        )
        return DecidedRow(draft=draft, row=planned, before=before, after=after, link=link)

    def _where(self, org: ObservedPlace) -> tuple[PlaceId | None, str | None]:
        """The place that an organisation is: by the source's id, else by code, else by name."""
        if org.source_id in self._stored:
            return self._stored[org.source_id], "source-id"
        others = (p for i, p in self._decided.items() if i != org.source_id)
        taken = {PlaceId(_STANDS_IN + org.source_id), *self._stored.values(), *others}
        free = [p for p in self._places.values() if p.id not in taken and p.kind is org.kind]
        for how, key in (("code", org.code), ("name", org.name)):
            named = [p for p in free if key and fold_name(getattr(p, how) or "") == fold_name(key)]
            if len(named) > 1:
                ids = tuple(sorted(p.id for p in named)[:10])
                reason = f"has the {how} of more than one place"
                column = "identifier" if how == "code" else "name"
                finding = Finding(code="ambiguous", reason=reason, column=column, candidates=ids)
                raise Findings([finding])
            if named:
                return named[0].id, how
        roots = [p for p in free if p.kind is PlaceKind.DISTRICT]
        if org.kind is PlaceKind.DISTRICT and len(roots) == 1:
            return roots[0].id, "kind"
        return None, None

    def _filled(
        self, before: Place, org: ObservedPlace, parent: PlaceId | None, *, removed: bool
    ) -> Place:
        """What a roster may say of a place that is there: it fills in, and renames nothing."""
        if fold_name(before.name) != fold_name(org.name):
            message = "an organisation has another name than the place that it is; the place keeps its own"
            self.notices.append(Notice(code="name-differs", message=message, column="name"))
        above = parent
        for _ in self._places:
            if above is None or above == before.id:
                break
            place = self._places.get(above)
            above = None if place is None else place.parent_id
        return evolve(
            before,
            code=before.code or self._free_code(org.code, before.id),
            parent_id=before.parent_id if before.parent_id or above is not None else parent,
            closed=before.closed or removed,
        )

    def _free_code(self, code: str | None, place_id: PlaceId) -> str | None:
        """A code that no other place has."""
        taken = any(p.code == code and p.id != place_id for p in self._places.values())
        return None if taken else code

    def place_of(self, source_id: str | None) -> PlaceId | None:
        """The place of an organisation, one that the roster adds included."""
        if source_id is None:
            return None
        return self._stored.get(source_id) or self._decided.get(source_id)

    def real(self, place_id: PlaceId | None) -> PlaceId | None:
        """The true id of a place: its row stood before, unless it was rejected."""
        if place_id is None or not place_id.startswith(_STANDS_IN):
            return place_id
        return self._stored.get(place_id.removeprefix(_STANDS_IN))

    def write(self, act: Act, one: DecidedRow, entries: list[Entry]) -> None:
        """Add what is written for an organisation to *entries*."""
        source_id = one.draft.values["org"].observed.source_id
        after = evolve(one.after, parent_id=self.real(one.after.parent_id))
        if one.before is None:
            after = evolve(after, id=PlaceId(act.new_id()))
        links = (
            [PlaceLink(source=self.source, source_id=source_id, place_id=after.id)]
            if one.link
            else []
        )
        entry = place_entry(act, after, before=one.before, links=links, source=self.source)
        if entry is not None:
            entries.append(entry)
        self._stored[source_id] = after.id
        self._places[after.id] = after


def text_of(value: Any) -> str | None:
    """A value as a plan shows it."""
    if value is None:
        return None
    return str(getattr(value, "value", value))
