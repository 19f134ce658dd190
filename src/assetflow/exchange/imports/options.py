"""How a device inventory or a list of people is read and planned: the options, and the plan they give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from assetflow.errors import InvalidValue
from assetflow.exchange.imports.applying import batch_of, is_done
from assetflow.exchange.imports.devices import DeviceDesk
from assetflow.exchange.imports.fields import DEVICE_COLUMNS, PERSON_COLUMNS
from assetflow.exchange.imports.people import PersonDesk
from assetflow.exchange.imports.places import PlaceBook
from assetflow.exchange.imports.plan import Finding, ImportPlan, Outcome, PlannedRow, Reject, merged
from assetflow.exchange.imports.sheet import Draft, Reading, Sheet, read_sheet
from assetflow.files import DEFAULT_LIMITS, FileLimits, Notice
from assetflow.model import CustomField, District, ImportBatch, Query, fold_tag

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.exchange.imports.applying import Decided
    from assetflow.exchange.imports.fields import FieldSpec
    from assetflow.files import Readable, Source
    from assetflow.store.ports import ReadTransaction

__all__ = ["DeviceImport", "PersonImport"]

_CHUNK = 1_000
Keys = Callable[[Draft], Iterable[tuple[str, object]]]


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@frozen(kw_only=True)
class _Import:
    """What both kinds of file have in common."""

    mapping: Mapping[str, str | None] = field(factory=dict)
    """Heading to field, ahead of the known headings; ``None`` leaves a column out."""
    defaults: Mapping[str, str] = field(factory=dict)
    """Field to the cell that a new record has where the file says nothing."""
    encoding: str | None = None
    """The file's encoding, when the caller knows it."""
    delimiter: str | None = None
    """The character between cells, when the caller knows it."""
    day_first: bool | None = None
    """Whether dates with slashes begin with the day; ``None`` to tell from the column."""
    create_sites: bool = False
    """Whether a site that is not known is added; else its row is rejected."""
    limits: FileLimits = DEFAULT_LIMITS
    """How large the file may be."""

    def _read(
        self, tx: ReadTransaction, file: Readable | Source, specs: Mapping[str, FieldSpec]
    ) -> Sheet:
        district = tx.get(District, tx.district)
        how = Reading(
            specs=specs,
            mapping=self.mapping,
            defaults=self.defaults,
            custom={f.name: f for f in tx.find(Query(kind=CustomField))}
            if specs is DEVICE_COLUMNS
            else {},
            currency=district.currency if district else "USD",
            day_first=self.day_first,
            encoding=self.encoding,
            delimiter=self.delimiter,
            limits=self.limits,
        )
        return read_sheet(file, how)

    def _places(self, sheet: Sheet, *, create_rooms: bool) -> PlaceBook:
        return PlaceBook(
            source="csv",
            create_sites=self.create_sites,
            create_rooms=create_rooms,
            spellings={name: sheet.spellings(name) for name in ("site", "room")},
        )

    def _said(self) -> dict[str, Any]:
        """All that was said about reading the file: part of what a batch is known by."""
        return {
            "mapping": sorted(self.mapping.items()),
            "defaults": sorted(self.defaults.items()),
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "day_first": self.day_first,
            "create_sites": self.create_sites,
        }


@frozen(kw_only=True)
class DeviceImport(_Import):
    """How to import a device inventory. All settings have defaults.

    Raises:
        InvalidValue: ``match_on`` names something else than ``serial`` and ``asset_tag``.
    """

    match_on: tuple[str, ...] = field(default=("serial", "asset_tag"), converter=_names)
    """The fields by which a row finds its device, the first before the others."""
    create_rooms: bool = True
    """Whether an unknown room of a known site is added; else its row is rejected. Only one whose
    cell reads like a room's number or code is: a teacher's name has no place in the journal."""

    def __attrs_post_init__(self) -> None:
        _check_keys(self.match_on, ("serial", "asset_tag"))

    def plan(self, tx: ReadTransaction, file: Readable | Source, *, at: datetime) -> ImportPlan:
        """What applying an inventory would do. Writes nothing.

        Args:
            tx: Where to read the district.
            file: A path, the bytes, or an open binary file.
            at: Now.

        Raises:
            FileError: the file cannot be read or is refused; or none of its headings is known.
            InvalidValue: a mapping or default that cannot be.
        """
        sheet = self._read(tx, file, DEVICE_COLUMNS)
        desk = self.desk(sheet)
        desk.load(tx)
        said = {**self._said(), "match_on": self.match_on, "create_rooms": self.create_rooms}
        return _plan(tx, "devices", self, sheet, desk, _device_keys, said, at)

    def desk(self, sheet: Sheet) -> DeviceDesk:
        """What decides about the rows of an inventory."""
        places = self._places(sheet, create_rooms=self.create_rooms)
        return DeviceDesk(sheet=sheet, match_on=self.match_on, places=places)


@frozen(kw_only=True)
class PersonImport(_Import):
    """How to import a list of people. All settings have defaults.

    Raises:
        InvalidValue: ``match_on`` names something else than ``local_id`` and ``email``.
    """

    match_on: tuple[str, ...] = field(default=("local_id", "email"), converter=_names)
    """The fields by which a row finds its person, the first before the others."""

    def __attrs_post_init__(self) -> None:
        _check_keys(self.match_on, ("local_id", "email"))

    def plan(self, tx: ReadTransaction, file: Readable | Source, *, at: datetime) -> ImportPlan:
        """What applying a list of people would do. Writes nothing.

        Args:
            tx: Where to read the district.
            file: A path, the bytes, or an open binary file.
            at: Now.

        Raises:
            FileError: the file cannot be read or is refused; or none of its headings is known.
            InvalidValue: a mapping or default that cannot be.
        """
        sheet = self._read(tx, file, PERSON_COLUMNS)
        desk = self.desk(sheet)
        desk.load(tx)
        said = {**self._said(), "match_on": self.match_on}
        return _plan(tx, "people", self, sheet, desk, desk.keys, said, at)

    def desk(self, sheet: Sheet) -> PersonDesk:
        """What decides about the rows of a list of people."""
        places = self._places(sheet, create_rooms=False)
        return PersonDesk(sheet=sheet, match_on=self.match_on, places=places)


# --- planning ------------------------------------------------------------------------------


def _check_keys(said: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    if not said or len(set(said)) < len(said) or not set(said) <= set(allowed):
        raise InvalidValue(f"rows are matched on {' and '.join(allowed)}, or on one of them")


def _device_keys(draft: Draft) -> Iterable[tuple[str, object]]:
    for name in ("serial", "asset_tag"):
        if (key := fold_tag(draft.values.get(name))) is not None:
            yield name, key


def _plan(
    tx: ReadTransaction,
    what: str,
    how: DeviceImport | PersonImport,
    sheet: Sheet,
    desk: DeviceDesk | PersonDesk,
    keys: Keys,
    said: Mapping[str, Any],
    at: datetime,
) -> ImportPlan:
    rejects = {line: list(findings) for line, findings in sheet.findings.items()}
    same, notices = _duplicates(sheet, keys, rejects)
    todo = [d for d in sheet.drafts if d.line not in rejects and d.line not in same]
    rows: list[PlannedRow] = [PlannedRow(line=n, outcome=Outcome.UNCHANGED) for n in same]
    for start in range(0, len(todo), _CHUNK):
        chunk = todo[start : start + _CHUNK]
        decisions: Sequence[Decided] = desk.decide(tx, chunk, at=at)
        for draft, decided in zip(chunk, decisions, strict=True):
            if decided.row is not None:
                rows.append(decided.row)
            elif decided.reject is not None:
                rejects[draft.line] = list(decided.reject.findings)
    rows = _one_row_a_record(rows, rejects)
    digest = _digest(what, sheet.table.digest, said)
    batch = tx.get(ImportBatch, batch_of(digest))
    return ImportPlan(
        what=what,
        district=tx.district,
        name=sheet.table.source.name,
        digest=digest,
        columns=sheet.columns,
        match_on=how.match_on,
        encoding=sheet.table.encoding,
        delimiter=sheet.table.delimiter,
        rows=tuple(sorted(rows, key=lambda r: r.line)),
        rejects=tuple(Reject(n, tuple(found)) for n, found in sorted(rejects.items())),
        notices=merged([*sheet.notices, *notices, *desk.notices]),
        applied=batch if is_done(batch, rows) else None,
        head=tx.head(),
        sheet=sheet.keeping(rejects),
        how=how,
    )


def _digest(what: str, content: str, said: Mapping[str, Any]) -> str:
    text = json.dumps({"what": what, "content": content, **said}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _duplicates(
    sheet: Sheet, keys: Keys, rejects: dict[int, list[Finding]]
) -> tuple[list[int], list[Notice]]:
    """Rows that share a tag, a serial, a number or an address.

    Which of two rows that differ is right cannot be told, so none of them is taken, whatever
    their order. Of rows that say the same the first is.
    """
    owners: dict[tuple[str, object], list[Draft]] = {}
    for draft in sheet.drafts:
        for key in keys(draft):
            owners.setdefault(key, []).append(draft)
    same: dict[int, int] = {}
    for (name, _), drafts in owners.items():
        if len(drafts) < 2:
            continue
        first, others = drafts[0], drafts[1:]
        if all(d.values == first.values and d.line not in sheet.findings for d in (first, *others)):
            same |= {d.line: first.line for d in others}
            continue
        lines = sorted(d.line for d in drafts)
        for draft in drafts:
            rest = [n for n in lines if n != draft.line]
            shown = ", ".join(map(str, rest[:5])) + (", ..." if len(rest) > 5 else "")
            reason = f"stands in line {shown} too, in a row that says something else"
            finding = Finding(code="duplicate", reason=reason, column=sheet.by_field.get(name))
            rejects.setdefault(draft.line, []).append(finding)
    doubled = [line for line in same if line not in rejects]
    notices = [
        Notice(
            code="duplicate-row", message="rows that say the same as an earlier one", lines=(line,)
        )
        for line in doubled
    ]
    return doubled, notices


def _one_row_a_record(
    rows: list[PlannedRow], rejects: dict[int, list[Finding]]
) -> list[PlannedRow]:
    """Two rows that find the same record by different fields are refused, both of them."""
    owners: dict[str, list[PlannedRow]] = {}
    for row in rows:
        if row.subject_id is not None:
            owners.setdefault(row.subject_id, []).append(row)
    out: set[int] = set()
    for subject_id, named in owners.items():
        if len(named) < 2:
            continue
        for row in named:
            rest = ", ".join(str(r.line) for r in named if r is not row)
            reason = f"is about the same record as line {rest}"
            finding = Finding(code="duplicate", reason=reason, candidates=(subject_id,))
            rejects.setdefault(row.line, []).append(finding)
            out.add(row.line)
    return [row for row in rows if row.line not in out]
