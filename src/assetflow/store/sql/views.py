"""Views for those who read with other tools: readable names, the engine's own types.

The tables keep instants and days as text, money as minor units and flags as 0 and 1, because
every engine and driver agrees on those. A spreadsheet, a reporting tool or somebody at ``psql``
wants types. Each view shows one kind of record, without a personal column; those stand in views
of their own, which are made only where somebody asks for them.

Views are no part of the schema's history: each upgrade drops them before the first step and makes
them anew after the last, from the tables of its version. What one built upon them has to be
dropped before and made again after, and so do grants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from assetflow.codec import Column, ColumnType
from assetflow.codec.columns import docs_of
from assetflow.model import Role
from assetflow.model.money import DIGITS
from assetflow.store.ports import StoredEvent
from assetflow.store.schema import JOURNAL, KINDS, Kind
from assetflow.store.sql.tables import DISTRICT, EVENT, PREFIX

__all__ = [
    "NOT_REPORTED",
    "PERSONAL_SUFFIX",
    "REPORTS",
    "Report",
    "ReportColumn",
    "create_views",
    "drop_views",
    "is_personal_view",
    "personal_reports",
    "reports",
]

REPORTS: Mapping[str, str] = MappingProxyType(
    {
        "custody": "report_custody",
        "custom_field": "report_custom_fields",
        "device": "report_devices",
        "device_link": "report_device_links",
        "device_model": "report_device_models",
        "district": "report_districts",
        "funding_share": "report_funding",
        "guardianship": "report_guardians",
        "hold": "report_holds",
        "import_batch": "report_imports",
        "note": "report_notes",
        "person": "report_people",
        "person_link": "report_person_links",
        "place": "report_places",
        "run": "report_pulls",
        "run_item": "report_pull_items",
        "school_calendar": "report_school_calendars",
        "sighting": "report_sightings",
    }
)
"""The view of each kind that is reported."""

NOT_REPORTED: Mapping[str, str] = MappingProxyType(
    {
        "actor": "its label is personal, and nothing else is in it",
        "custody_open": "report_custody where ended_at is null",
        "idempotency": "machinery",
        "observation": "a source's raw claim",
        "outbox": "machinery",
        "outbox_cursor": "machinery",
        "place_link": "machinery",
        "policy": "a TOML text",
        "recipient": "machinery of de-identified exports",
        "retained_identity": "sealed names",
        "run_page": "machinery",
        "run_shard": "machinery",
        "staged_record": "a source's raw record",
        "webhook": "machinery, and its address may hold a token",
        "webhook_delivery": "machinery",
        "webhook_progress": "machinery",
    }
)
"""Kinds that have no view, and why."""

PERSONAL_SUFFIX = "_personal"
"""How the name of a view of personal columns ends."""

_JOURNAL = "report_journal"
_JOURNAL_LEFT_OUT = {"body", "prev", "hash"}
_PLACES = ("site_id", "room_id", "parent_id")
_UNSHOWN = {"mark_key", "email_key", "tag_key", "serial_key", "name_key"}

# How a value of each type is written where it is not shown as it is kept.
_TYPES: Mapping[str, Mapping[ColumnType, str]] = {
    "sqlite": {},
    "postgresql": {
        ColumnType.INSTANT: "CAST({0} AS timestamptz)",
        ColumnType.DATE: "CAST({0} AS date)",
        ColumnType.FLAG: "({0} = 1)",
        ColumnType.JSON: "CAST({0} AS jsonb)",
    },
    "mysql": {
        ColumnType.INSTANT: "CAST(REPLACE(REPLACE({0}, 'T', ' '), 'Z', '') AS DATETIME(6))",
        ColumnType.DATE: "CAST({0} AS DATE)",
    },
}
_MONEY = {
    "sqlite": ("{0} * 1.0", "{0} / {1}.0"),
    "postgresql": ("CAST({0} AS numeric)", "CAST({0} AS numeric) / {1}"),
    "mysql": ("CAST({0} AS DECIMAL(20, 0))", "CAST({0} AS DECIMAL(20, 0)) / {1}"),
}
_NATIVE = {
    ColumnType.INSTANT: ("timestamp with time zone", "datetime(6), UTC", "ISO 8601 text, UTC"),
    ColumnType.DATE: ("date", "date", "ISO 8601 text"),
    ColumnType.FLAG: ("boolean", "0 or 1", "0 or 1"),
    ColumnType.JSON: ("jsonb", "text", "text"),
    ColumnType.MINOR: ("numeric", "decimal", "real"),
    ColumnType.INTEGER: ("bigint", "bigint", "integer"),
}


class ReportColumn(NamedTuple):
    """A column of a view."""

    name: str
    """Its name."""
    column: Column | None
    """The column that it shows; ``None`` for the district and for names of other records."""
    told: str
    """What it is."""

    @property
    def types(self) -> tuple[str, str, str]:
        """Its type on PostgreSQL, on MariaDB and MySQL, and on SQLite."""
        kept = None if self.column is None else _NATIVE.get(self.column.type)
        return kept or ("text", "text", "text")


class Report(NamedTuple):
    """A view over one table."""

    name: str
    """Its name."""
    table: str
    """The table."""
    columns: tuple[ReportColumn, ...]
    """What it shows, in order."""
    about: str
    """What it is about, in a line."""


def reports() -> tuple[Report, ...]:
    """The views without personal columns, and one of the journal."""
    found = [
        Report(view, PREFIX + kind, tuple(_columns(KINDS[kind], personal=False)), _about(kind))
        for kind, view in sorted(REPORTS.items(), key=lambda pair: pair[1])
    ]
    events = [c for c in JOURNAL if c.name not in _JOURNAL_LEFT_OUT]
    told = docs_of(StoredEvent)
    columns = (_district(), *(ReportColumn(c.name, c, told[c.name]) for c in events))
    about = "The events of the journal, without their bodies."
    return (*found, Report(_JOURNAL, EVENT.name, columns, about))


def personal_reports() -> tuple[Report, ...]:
    """The views of personal columns, of the kinds that have any."""
    return tuple(
        Report(
            view + PERSONAL_SUFFIX,
            PREFIX + kind,
            tuple(_columns(KINDS[kind], personal=True)),
            f"The personal columns of {view}; its rows are joined by its key.",
        )
        for kind, view in sorted(REPORTS.items(), key=lambda pair: pair[1])
        if any(_is_shown(c) and c.role is Role.PERSONAL for c in KINDS[kind].columns)
    )


def drop_views() -> Iterator[str]:
    """Statements that drop every view that this version knows."""
    for report in (*personal_reports(), *reports()):
        yield f"DROP VIEW IF EXISTS {report.name}"


def create_views(engine: str, *, personal: bool = False) -> Iterator[str]:
    """Statements that make the views.

    On PostgreSQL a view is run with the rights of whoever reads it, so that row-level security
    holds for them. Before version 15 it could only be run with its owner's, who is under it too
    unless they bypass it; such an owner gets no views there.

    Args:
        engine: SQLAlchemy's name of the dialect.
        personal: Those of personal columns too.
    """
    engine = "mysql" if engine == "mariadb" else engine
    made = (*reports(), *(personal_reports() if personal else ()))
    rights = "SQL SECURITY INVOKER " if engine == "mysql" else ""
    for report in made:
        yield f"CREATE {rights}VIEW {report.name} AS {_select(report, engine)}"
    if engine == "postgresql":
        own = "".join(f"    ALTER VIEW {r.name} SET (security_invoker = true);\n" for r in made)
        gone = "".join(f"    DROP VIEW {r.name};\n" for r in made)
        yield _OWN_RIGHTS.format(own=own, gone=gone)


def is_personal_view(name: str) -> bool:
    """Whether a view is one of personal columns."""
    return name in {report.name for report in personal_reports()}


_OWN_RIGHTS = """\
DO $assetflow$
BEGIN
  IF current_setting('server_version_num')::integer >= 150000 THEN
{own}  ELSIF EXISTS (
    SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)
  ) THEN
{gone}  END IF;
END
$assetflow$"""


# --- columns -----------------------------------------------------------------------------------


def _about(kind: str) -> str:
    return KINDS[kind].doc.partition("\n")[0]


def _district() -> ReportColumn:
    return ReportColumn(DISTRICT, None, "The district.")


def _is_shown(column: Column) -> bool:
    return column.type is not ColumnType.BYTES and column.name not in _UNSHOWN


def _columns(kind: Kind, *, personal: bool) -> Iterator[ReportColumn]:
    yield _district()
    for column in kind.columns:
        if not _is_shown(column):
            continue
        if personal:
            if column.name in kind.key or column.role is Role.PERSONAL:
                yield ReportColumn(column.name, column, column.doc)
            continue
        if column.role is Role.PERSONAL:
            continue
        name = column.field if column.type is ColumnType.MINOR else column.name
        yield ReportColumn(name, column, column.doc)
        yield from _named(kind, column)


def _named(kind: Kind, column: Column) -> Iterator[ReportColumn]:
    """Names of what an id refers to, so that nobody has to join for them."""
    if column.field in _PLACES:
        what = column.field.removesuffix("_id")
        yield ReportColumn(f"{what}_name", None, f"The name of its {what}.")
        yield ReportColumn(f"{what}_code", None, f"The code of its {what}.")
    elif (column.field, "device") in kind.refers:
        yield ReportColumn("asset_tag", None, "The tag of the device.")
        yield ReportColumn("serial", None, "The serial number of the device.")


# --- SQL ---------------------------------------------------------------------------------------


def _select(report: Report, engine: str) -> str:
    joins: dict[str, str] = {}
    shown = [
        f"{_expression(c, engine, joins)} AS {_quoted(c.name, engine)}" for c in report.columns
    ]
    after = "".join(f" {join}" for join in joins.values())
    return f"SELECT {', '.join(shown)} FROM {report.table} AS r{after}"  # noqa: S608  # names of ours


def _expression(column: ReportColumn, engine: str, joins: dict[str, str]) -> str:
    kept = column.column
    if kept is None:
        return _joined(column.name, joins)
    name = f"r.{_quoted(kept.name, engine)}"
    if kept.type is ColumnType.MINOR:
        return _money(name, f"r.{kept.field}_currency", engine)
    return _TYPES[engine].get(kept.type, "{0}").format(name)


def _quoted(name: str, engine: str) -> str:
    """Some of our names, such as ``condition``, are words of MariaDB's and MySQL's."""
    return f"`{name}`" if engine == "mysql" else name


def _joined(name: str, joins: dict[str, str]) -> str:
    if name == DISTRICT:
        return f"r.{DISTRICT}"
    if name in ("asset_tag", "serial"):
        joins["d"] = _join("device", "d", "device_id")
        return f"d.{name}"
    what, _, part = name.rpartition("_")
    joins[what] = _join("place", what, f"{what}_id")
    return f"{what}.{part}"


def _join(kind: str, alias: str, column: str) -> str:
    on = f"{alias}.{DISTRICT} = r.{DISTRICT} AND {alias}.id = r.{column}"
    return f"LEFT JOIN {PREFIX}{kind} AS {alias} ON {on}"


def _money(minor: str, currency: str, engine: str) -> str:
    whole, cut = _MONEY[engine]
    cases = "".join(
        f" WHEN {_listed(c for c, d in DIGITS.items() if d == digits)} THEN {text}"
        for digits, text in ((0, whole.format(minor)), (3, cut.format(minor, 1000)))
    ).replace(" WHEN ", f" WHEN {currency} IN ")
    return f"CASE{cases} ELSE {cut.format(minor, 100)} END"


def _listed(currencies: Iterable[str]) -> str:
    return f"({', '.join(repr(c) for c in sorted(currencies))})"
