"""A file as rows of typed values: which column fills which field, and which cells cannot be read.

Nothing here knows a store. What a row means for the district's records is decided by
[`devices`][assetflow.exchange.imports.devices] and [`people`][assetflow.exchange.imports.people].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from assetflow.errors import InvalidValue
from assetflow.exchange.imports import cells
from assetflow.exchange.imports.cells import CLEAR, BadCell
from assetflow.exchange.imports.fields import CUSTOM, CellKind, FieldSpec, grade_code
from assetflow.exchange.imports.plan import (
    REJECT_HEADINGS,
    ColumnUse,
    Finding,
    Reject,
    merged,
)
from assetflow.files import (
    DEFAULT_LIMITS,
    Notice,
    header_key,
    is_placeholder,
    read_table,
    unescape_cell,
)
from assetflow.model import CustomField, CustomType
from assetflow.rules.derived import fold_name
from assetflow.workflows.models import custom_value

if TYPE_CHECKING:
    from assetflow.files import FileLimits, Readable, Row, Source, Table

__all__ = ["Draft", "Reading", "Sheet", "read_sheet"]

_SECRET = frozenset({"password", "passwd", "pwd", "ssn", "socialsecuritynumber", "socialsecurity"})
"""Headings whose cells are dropped as they are split: they stand in no plan and no rejects file."""

_NOT_USED = frozenset(header_key(h) for h in REJECT_HEADINGS)
_ROW_PROBLEMS = {
    "quote": "a quote in this line is opened and not closed, or a cell is too long",
    "too-many-cells": "has more cells than there are headings; a comma may want quotes around its cell",
    "cut-off": "the file ends in the middle of this row; export it again",
    "cell-too-long": "has a cell that is longer than a spreadsheet can hold",
}


@frozen(kw_only=True)
class Reading:
    """How a file is to be read: what the caller said, and what the district declares."""

    specs: Mapping[str, FieldSpec]
    """The fields that the file can fill."""
    mapping: Mapping[str, str | None] = field(factory=dict)
    """Heading to field, ahead of the known headings; ``None`` leaves a column out."""
    defaults: Mapping[str, str] = field(factory=dict)
    """Field to the cell that a new record has where the file says nothing."""
    custom: Mapping[str, CustomField] = field(factory=dict)
    """The custom fields that the district declared."""
    currency: str = "USD"
    """The district's currency."""
    day_first: bool | None = None
    """How dates with slashes begin; ``None`` to tell from the column."""
    encoding: str | None = None
    """The file's encoding, when the caller knows."""
    delimiter: str | None = None
    """The file's delimiter, when the caller knows."""
    limits: FileLimits = DEFAULT_LIMITS
    """How large the file may be."""

    def spec(self, name: str) -> FieldSpec:
        """The field of that name.

        Raises:
            InvalidValue: there is none, or the custom field is not declared.
        """
        if name in self.specs:
            return self.specs[name]
        declared = self.custom.get(name.removeprefix(CUSTOM)) if name.startswith(CUSTOM) else None
        if declared is not None:
            return FieldSpec(name=name, kind=CellKind.CUSTOM, label=declared.label or declared.name)
        if name.startswith(CUSTOM):
            raise InvalidValue(
                f"the custom field {name!r} is not declared",
                hint="Declare it first, with its type.",
            )
        raise InvalidValue(f"a file cannot fill {name!r}", hint=f"Fields: {', '.join(self.specs)}.")


@frozen
class Draft:
    """A row that could be read."""

    line: int
    """The line of the file at which it begins."""
    values: Mapping[str, Any] = field(repr=False)
    """Field to value; ``None`` empties the field, one that is not there is left alone."""
    part: str = ""
    """The file within an archive."""


@frozen(kw_only=True)
class Sheet:
    """The rows of a file."""

    table: Table
    """The file."""
    columns: tuple[ColumnUse, ...]
    """What each column is taken for."""
    headings: tuple[str, ...]
    """The file's headings without those of a rejects file."""
    drafts: tuple[Draft, ...] = field(repr=False)
    """Every row, with the cells that could be read; see *findings*."""
    findings: Mapping[int, tuple[Finding, ...]] = field(repr=False)
    """Line to what is wrong with its cells."""
    defaults: Mapping[str, Any] = field(repr=False)
    """Field to the value that a new record has where the file says nothing."""
    by_field: Mapping[str, str]
    """Field to heading."""
    notices: tuple[Notice, ...] = ()
    """What was decided about the file."""
    originals: Mapping[int, tuple[str, ...]] = field(factory=dict, repr=False)
    """Line to the cells as they were."""

    def spellings(self, name: str, of: str | None = None) -> dict[str, str]:
        """How the file writes a name: folded name to its commonest spelling, whatever the order of the rows.

        Args:
            name: A text field.
            of: Another text field, whose folded value is looked up instead.
        """
        counts: dict[str, Counter[str]] = {}
        for draft in self.drafts:
            text, key = draft.values.get(name), draft.values.get(of or name)
            if text and key:
                counts.setdefault(fold_name(key), Counter())[text] += 1
        return {key: min(found, key=lambda t: (-found[t], t)) for key, found in counts.items()}

    def original(self, reject: Reject) -> tuple[str, ...]:
        """The cells of a row as they were, under *headings*."""
        return self.originals.get(reject.line, ())

    def keeping(self, lines: Iterable[int]) -> Sheet:
        """The sheet with the original cells of these rows alone."""
        wanted = set(lines)
        return evolve(self, originals={n: c for n, c in self.originals.items() if n in wanted})


def read_sheet(file: Readable | Source, how: Reading) -> Sheet:
    """Read a file.

    Raises:
        FileError: it cannot be read, see [`read_table`][assetflow.files.read_table].
        InvalidValue: the mapping or the defaults name what is not there, or two columns fill one
            field.
    """
    finder = _Headings(how)
    table = read_table(
        file,
        known=finder.known,
        encoding=how.encoding,
        delimiter=how.delimiter,
        limits=how.limits,
    )
    ours = all(h in table.headers for h in REJECT_HEADINGS)
    headers = tuple(unescape_cell(h) if ours else h for h in table.headers)
    used = finder.assign(headers)
    secret = {i for i, h in enumerate(headers) if header_key(h) in _SECRET}
    rows = list(table.rows(keep=set(range(len(headers))) - secret if secret else None))
    return _Reader(how, table, headers, used, ours=ours).read(rows)


class _Headings:
    """Finds the field of a heading."""

    def __init__(self, how: Reading) -> None:
        self.how = how
        self.mapped: dict[str, str | None] = {}
        for heading, name in how.mapping.items():
            if name is not None:
                how.spec(name)
            self.mapped[header_key(heading)] = name
        self.auto: dict[str, str] = {}
        for declared in how.custom.values():
            for text in (declared.label or "", declared.name, CUSTOM + declared.name):
                if key := header_key(text):
                    self.auto[key] = CUSTOM + declared.name
        self.auto.update({key: s.name for s in how.specs.values() for key in s.headings})

    def field(self, heading: str) -> str | None:
        """The field that a heading stands for."""
        key = header_key(heading)
        return self.mapped[key] if key in self.mapped else self.auto.get(key)

    def known(self, heading: str) -> bool:
        """Whether a heading is known: by it the row of headings is found."""
        return header_key(heading) in self.mapped or self.field(heading) is not None

    def assign(self, headers: tuple[str, ...]) -> dict[str, int]:
        """Field to the number of its column."""
        keys = {header_key(h) for h in headers}
        missing = [h for h in self.how.mapping if header_key(h) not in keys]
        if missing:
            raise InvalidValue(
                f"the file has no column {missing[0]!r}",
                hint=f"Its headings: {', '.join(h for h in headers if h)}.",
            )
        used: dict[str, int] = {}
        for number, heading in enumerate(headers):
            name = self.field(heading) if heading else None
            if name is None:
                continue
            if name in used:
                both = f"{headers[used[name]]!r} and {heading!r}"
                raise InvalidValue(
                    f"two columns fill {name}: {both}",
                    hint=f"Leave one out: mapping={{{heading!r}: None}}.",
                )
            used[name] = number
        return used


@define
class _Reader:
    how: Reading
    table: Table
    headers: tuple[str, ...]
    used: dict[str, int]
    ours: bool = field(kw_only=True)
    notices: list[Notice] = field(factory=list, init=False)
    day_first: dict[str, bool | None] = field(factory=dict, init=False)

    def read(self, rows: list[Row]) -> Sheet:
        kept = [
            i for i, h in enumerate(self.headers) if header_key(h) not in _NOT_USED or not self.ours
        ]
        specs = {name: self.how.spec(name) for name in self.used}
        originals = {row.line: self._cells(row) for row in rows}
        self._settle_dates(specs, rows, originals)
        drafts, findings = [], {}
        for row in rows:
            bad: list[Finding] = []
            values: dict[str, Any] = {}
            if row.problem is not None:
                bad.append(Finding(code=row.problem, reason=_ROW_PROBLEMS[row.problem]))
            else:
                values = self._row(row.line, originals[row.line], specs, bad)
            drafts.append(Draft(row.line, values))
            if bad:
                findings[row.line] = tuple(bad)
        return Sheet(
            table=self.table,
            columns=self._columns(specs),
            headings=tuple(self.headers[i] for i in kept),
            drafts=tuple(drafts),
            findings=findings,
            defaults=self._defaults(),
            by_field={name: self.headers[i] for name, i in self.used.items()},
            notices=merged([*self.table.notices, *self.notices]),
            originals={r.line: self._kept(r, originals[r.line], kept) for r in rows},
        )

    def _cells(self, row: Row) -> tuple[str, ...]:
        return (
            tuple(unescape_cell(c) for c in row.cells)
            if self.ours and row.problem != "quote"
            else row.cells
        )

    def _kept(self, row: Row, found: tuple[str, ...], kept: list[int]) -> tuple[str, ...]:
        """What a rejects file shows: it must not read better than the original when nobody mends it."""
        width = len(self.headers)
        if row.problem == "quote":
            return (*("",) * len(kept), *found)
        shown = tuple(found[i] if i < len(found) else "" for i in kept)
        extra = ("(cut off)",) if row.problem == "cut-off" else found[width:]
        return (*shown, *extra)

    def _columns(self, specs: Mapping[str, FieldSpec]) -> tuple[ColumnUse, ...]:
        names = {i: name for name, i in self.used.items()}
        return tuple(
            ColumnUse(h, names.get(i), specs[names[i]].personal if i in names else False)
            for i, h in enumerate(self.headers)
            if h and not (self.ours and header_key(h) in _NOT_USED)
        )

    def _defaults(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, text in self.how.defaults.items():
            spec = self.how.spec(name)
            try:
                value = self._value(spec, cells.clean(str(text)), day_first=None)
            except BadCell as bad:
                raise InvalidValue(f"the default of {name} {bad.reason}") from None
            values.update(value if spec.kind is CellKind.WORD else {name: value})
        return values

    # --- dates ------------------------------------------------------------------------------

    def _settle_dates(
        self, specs: Mapping[str, FieldSpec], rows: list[Row], found: Mapping[int, tuple[str, ...]]
    ) -> None:
        """Dates with slashes are month first, unless a date of their column cannot be."""
        for name, spec in specs.items():
            if not self._is_date(spec):
                continue
            self.day_first[name] = self.how.day_first
            if self.how.day_first is not None:
                continue
            number = self.used[name]
            lines, odd = [], False
            for row in rows:
                pair = (
                    cells.slash_date(found[row.line][number].strip())
                    if row.problem is None
                    else None
                )
                if pair is not None:
                    lines.append(row.line)
                    odd = odd or pair[0] > 12
            if lines and not odd:
                self.day_first[name] = False
                message = (
                    "dates with slashes are read as month/day/year; say day_first= if they are not"
                )
                self._note("us-dates", message, name, lines)

    def _is_date(self, spec: FieldSpec) -> bool:
        if spec.kind is CellKind.CUSTOM:
            return self.how.custom[spec.name.removeprefix(CUSTOM)].type is CustomType.DATE
        return spec.kind is CellKind.DATE

    # --- cells ------------------------------------------------------------------------------

    def _row(
        self, line: int, found: tuple[str, ...], specs: Mapping[str, FieldSpec], bad: list[Finding]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, spec in specs.items():
            number = self.used[name]
            try:
                self._cell(line, spec, cells.clean(found[number]), values)
            except BadCell as problem:
                bad.append(problem.finding(self.headers[number]))
        return values

    def _cell(self, line: int, spec: FieldSpec, text: str, values: dict[str, Any]) -> None:
        if not text:
            return
        if text == CLEAR:
            if not spec.clearable:
                raise BadCell("not-clearable", "cannot be emptied")
            values[spec.name] = None
            return
        if (
            spec.kind is not CellKind.NAME
            and is_placeholder(text)
            and text.casefold() not in spec.words
        ):
            self._note(
                "placeholder",
                "cells that say N/A, None or the like are read as empty",
                spec.name,
                [line],
            )
            return
        value = self._value(spec, text, day_first=self.day_first.get(spec.name))
        if spec.kind is CellKind.WORD:
            for name, meant in value.items():
                values.setdefault(name, meant)
                if values[name] != meant:
                    raise BadCell("contradicts", "contradicts another cell of its row")
        else:
            values[spec.name] = value

    def _value(self, spec: FieldSpec, text: str, *, day_first: bool | None) -> Any:
        if len(text) > spec.length:
            raise BadCell("too-long", f"is longer than {spec.length} characters")
        reader = _READERS.get(spec.kind)
        if reader is not None:
            return reader(text)
        match spec.kind:
            case CellKind.DATE:
                return cells.read_date(text, day_first=day_first)
            case CellKind.MONEY:
                return cells.money(text, self.how.currency)
            case CellKind.WORD:
                return cells.word(text, spec.words)
            case _:
                return self._custom(spec, text, day_first=day_first)

    def _custom(self, spec: FieldSpec, text: str, *, day_first: bool | None) -> Any:
        declared = self.how.custom[spec.name.removeprefix(CUSTOM)]
        value: Any = text
        match declared.type:
            case CustomType.DATE:
                value = cells.read_date(text, day_first=day_first)
            case CustomType.MONEY:
                value = cells.money(text, self.how.currency)
            case CustomType.INTEGER:
                value = cells.whole_number(text)
            case CustomType.FLAG:
                value = cells.flag(text)
            case CustomType.TEXT:
                folded = {c.casefold(): c for c in declared.choices}
                value = folded.get(text.casefold(), text)
        try:
            return custom_value(declared, value, currency=self.how.currency)
        except InvalidValue as problem:
            raise BadCell("custom-field", f"{problem.message}. {problem.hint}") from None

    def _note(self, code: str, message: str, name: str, lines: list[int]) -> None:
        heading = self.headers[self.used[name]]
        self.notices.append(
            Notice(
                code=code, message=message, column=heading, lines=tuple(lines[:5]), count=len(lines)
            )
        )


_READERS: Mapping[CellKind, Callable[[str], Any]] = {
    CellKind.IDENTIFIER: cells.identifier,
    CellKind.TEXT: lambda text: " ".join(text.split()),
    CellKind.NAME: lambda text: " ".join(text.split()),
    CellKind.GRADE: grade_code,
}
