"""The fields that a file can fill, the headings by which they are known, and the words of their columns.

Tables, not code: the how-to prints them, and a district's own headings and words go through
``mapping=``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from assetflow.files import header_key
from assetflow.model import Condition, Lifecycle, PersonKind, PersonStatus, Programme

__all__ = ["CUSTOM", "DEVICE_COLUMNS", "PERSON_COLUMNS", "CellKind", "FieldSpec", "grade_code"]

CUSTOM = "custom."
"""What the name of a custom field begins with in a mapping: ``custom.charger_type``."""


class CellKind(enum.Enum):
    """How a cell is read."""

    IDENTIFIER = "identifier"
    """Text, kept as it is; what a spreadsheet spoilt is refused."""
    TEXT = "text"
    """Text."""
    NAME = "name"
    """Text that may say ``None`` or ``Na``: people are called so."""
    DATE = "date"
    """A day."""
    MONEY = "money"
    """An amount in the district's currency."""
    WORD = "word"
    """A word of a table."""
    GRADE = "grade"
    """A grade, in the roster's code."""
    CUSTOM = "custom"
    """A declared custom field."""


Words = Mapping[str, Mapping[str, Any]]


@frozen(kw_only=True)
class FieldSpec:
    """A field that a column can fill."""

    name: str
    """Its name in mappings and defaults."""
    kind: CellKind
    """How its cells are read."""
    headings: frozenset[str] = field(default=frozenset(), repr=False)
    """The headings by which it is known, folded."""
    known_as: tuple[str, ...] = field(default=(), repr=False)
    """The same as people write them."""
    words: Words = field(factory=lambda: MappingProxyType({}), repr=False)
    """Words of its cells to the fields that each sets."""
    personal: bool = False
    """Whether its cells are about a person."""
    clearable: bool = True
    """Whether ``(clear)`` may empty it."""
    length: int = 200
    """Most characters."""
    label: str = ""
    """What it is, for a person."""


def _spec(name: str, kind: CellKind, label: str, headings: str = "", **more: Any) -> FieldSpec:
    shown = tuple(h.strip() for h in headings.split(",") if h.strip())
    known = frozenset(map(header_key, (name, *shown)))
    return FieldSpec(name=name, kind=kind, label=label, headings=known, known_as=shown, **more)


def _words(*rows: tuple[str, Mapping[str, Any]]) -> Words:
    return MappingProxyType({w.strip(): sets for words, sets in rows for w in words.split(",")})


_LIFECYCLE = _words(
    ("ordered, on order", {"lifecycle": Lifecycle.ORDERED}),
    ("received, new, pending, in receiving", {"lifecycle": Lifecycle.RECEIVED}),
    (
        "in stock, available, stock, spare, ready, ready to deploy",
        {"lifecycle": Lifecycle.IN_STOCK},
    ),
    ("in storage, storage, unassigned, checked in, returned", {"lifecycle": Lifecycle.IN_STOCK}),
    (
        "deployed, assigned, in use, checked out, issued, active, in service, loaned, loaned out",
        {"lifecycle": Lifecycle.DEPLOYED},
    ),
    (
        "in repair, repair, out for repair, at repair, being repaired, rma",
        {"lifecycle": Lifecycle.IN_REPAIR},
    ),
    ("broken, damaged, defective", {"condition": Condition.BROKEN}),
    ("lost, missing", {"lifecycle": Lifecycle.LOST}),
    ("stolen", {"lifecycle": Lifecycle.STOLEN}),
    (
        "retired, decommissioned, out of service, surplus, end of life, archived",
        {"lifecycle": Lifecycle.RETIRED},
    ),
    ("sanitized, wiped", {"lifecycle": Lifecycle.SANITIZED}),
    ("disposed, disposed of, recycled, sold, donated, scrapped", {"lifecycle": Lifecycle.DISPOSED}),
)
_CONDITION = _words(
    ("new, excellent, like new", {"condition": Condition.NEW}),
    ("good, ok, okay, working, functional", {"condition": Condition.GOOD}),
    ("fair, worn, average", {"condition": Condition.FAIR}),
    ("poor, bad", {"condition": Condition.POOR}),
    ("broken, damaged, not working, defective, non functional", {"condition": Condition.BROKEN}),
    ("not checked, unchecked", {"condition": Condition.UNKNOWN}),
)
_PROGRAMME = _words(
    ("district, local, general fund", {"programme": Programme.NONE}),
    ("ecf, emergency connectivity fund", {"programme": Programme.ECF}),
    ("e rate, erate", {"programme": Programme.E_RATE}),
    ("federal, title i, esser, esser ii, esser iii, arp", {"programme": Programme.FEDERAL}),
    ("state", {"programme": Programme.STATE}),
)

DEVICE_COLUMNS: Mapping[str, FieldSpec] = MappingProxyType(
    {
        s.name: s
        for s in (
            _spec(
                "asset_tag",
                CellKind.IDENTIFIER,
                "The district's own tag",
                "asset tag, tag, asset, asset #, asset id, asset no, tag #, tag id, tag no, barcode,"
                " bar code, inventory #, inventory tag, property tag, device tag, fixed asset #,"
                " annotatedAssetId, asset tag #",
            ),
            _spec(
                "serial",
                CellKind.IDENTIFIER,
                "The maker's serial number",
                "serial, serial #, serial no, s/n, sn, service tag, device serial, device serial #",
            ),
            _spec(
                "model",
                CellKind.TEXT,
                "The model's name",
                "model, model name, device model, product name, item",
            ),
            _spec(
                "manufacturer",
                CellKind.TEXT,
                "Who makes it",
                "manufacturer, make, maker, brand",
                clearable=False,
            ),
            _spec(
                "category",
                CellKind.TEXT,
                "What sort of device",
                "category, device type, asset type, type",
                clearable=False,
            ),
            _spec(
                "lifecycle",
                CellKind.WORD,
                "Where it stands between order and disposal",
                "lifecycle, status, state, device status, asset status, inventory status",
                words=_LIFECYCLE,
                clearable=False,
            ),
            _spec(
                "condition",
                CellKind.WORD,
                "What shape it is in",
                "condition, device condition, physical condition",
                words=_CONDITION,
                clearable=False,
            ),
            _spec(
                "site",
                CellKind.TEXT,
                "The school, by code or name",
                "site, school, campus, location, site name, site code, school name, school code, building",
            ),
            _spec(
                "room",
                CellKind.TEXT,
                "The room or cart, by code or name",
                "room, room #, room no, classroom, cart, room name, sub location",
            ),
            _spec(
                "assigned_to",
                CellKind.IDENTIFIER,
                "Who has it: student or staff number, or e-mail address",
                "assigned to, assigned, assignee, assigned user, assigned to email, holder, checked out to, issued to,"
                " student id, student #, student number, student, patron, user email, annotatedUser, borrower",
                personal=True,
                clearable=False,
            ),
            _spec(
                "assigned_on",
                CellKind.DATE,
                "Since when",
                "assigned on, date assigned, assigned date, checkout date, checked out on, check out date, date issued, issued on",
                clearable=False,
            ),
            _spec(
                "purchase_cost",
                CellKind.MONEY,
                "What was paid for it",
                "purchase cost, cost, price, unit cost, purchase price, unit price, amount paid, acquisition cost",
            ),
            _spec(
                "acquired_on",
                CellKind.DATE,
                "The day of acquisition",
                "acquired on, acquired, purchase date, date purchased, date acquired, acquisition date, purchased, purchased on",
            ),
            _spec(
                "installed_on",
                CellKind.DATE,
                "The day on which it was put into service",
                "installed on, installed, installation date, install date, in service date, in service, placed in service",
            ),
            _spec(
                "order_line",
                CellKind.IDENTIFIER,
                "Purchase order and line",
                "order line, po, po #, po no, purchase order, purchase order #, order #, order no",
            ),
            _spec(
                "warranty_ends",
                CellKind.DATE,
                "Last day of the warranty",
                "warranty ends, warranty, warranty end, warranty expires, warranty expiration, warranty end date, warranty date",
            ),
            _spec(
                "auto_update_ends",
                CellKind.DATE,
                "Auto-update expiration",
                "auto update ends, aue, aue date, auto update expiration, auto-update expiration date, autoUpdateExpiration, autoUpdateThrough",
            ),
            _spec(
                "fund",
                CellKind.IDENTIFIER,
                "The fund's code",
                "fund, fund code, funding source, fund source, funding",
                clearable=False,
            ),
            _spec(
                "award_number",
                CellKind.IDENTIFIER,
                "The award or FAIN",
                "award number, award, award #, award no, fain, grant #, grant no, grant number",
                clearable=False,
            ),
            _spec(
                "programme",
                CellKind.WORD,
                "Whose rules come with the money",
                "programme, program, funding program",
                words=_PROGRAMME,
                clearable=False,
            ),
            _spec(
                "title_holder",
                CellKind.TEXT,
                "Who holds title",
                "title holder, title held by",
                clearable=False,
            ),
        )
    }
)
"""The fields of a device inventory by name."""

_KIND = _words(
    ("student, students, pupil, learner", {"kind": PersonKind.STUDENT}),
    ("staff, teacher, employee, faculty, aide, substitute", {"kind": PersonKind.STAFF}),
    (
        "administrator, admin, principal, counselor, paraprofessional, para",
        {"kind": PersonKind.STAFF},
    ),
    ("guardian, parent, relative, contact", {"kind": PersonKind.GUARDIAN}),
)
_STATUS = _words(
    ("active, enrolled, current, employed, a, true, yes", {"status": PersonStatus.ACTIVE}),
    ("expected, pre registered, preregistered, future, pending", {"status": PersonStatus.EXPECTED}),
    (
        "left, inactive, withdrawn, graduated, transferred, terminated",
        {"status": PersonStatus.LEFT},
    ),
    ("former, exited, dropped, i, false, no", {"status": PersonStatus.LEFT}),
)

PERSON_COLUMNS: Mapping[str, FieldSpec] = MappingProxyType(
    {
        s.name: s
        for s in (
            _spec(
                "local_id",
                CellKind.IDENTIFIER,
                "Student or staff number",
                "local id, student id, student #, student no, student number, staff id, staff number, employee id,"
                " employee #, employee number, id number, id, person id, sis id, identifier",
                personal=True,
            ),
            _spec(
                "given_name",
                CellKind.NAME,
                "Given name",
                "given name, first name, first, firstname",
                personal=True,
            ),
            _spec(
                "family_name",
                CellKind.NAME,
                "Family name",
                "family name, last name, last, lastname, surname",
                personal=True,
            ),
            _spec(
                "preferred_name",
                CellKind.NAME,
                "The given name that they go by",
                "preferred name, preferred first name, nickname, goes by",
                personal=True,
            ),
            _spec(
                "email",
                CellKind.IDENTIFIER,
                "School address",
                "email, e-mail, email address, e-mail address, school email, student email",
                personal=True,
            ),
            _spec(
                "kind",
                CellKind.WORD,
                "Student, staff or guardian",
                "kind, role, person type, user type, type",
                words=_KIND,
                clearable=False,
            ),
            _spec(
                "status",
                CellKind.WORD,
                "Whether they are there",
                "status, enrollment status, employment status, state",
                words=_STATUS,
                clearable=False,
            ),
            _spec("grade", CellKind.GRADE, "Grade", "grade, grade level, current grade, grades"),
            _spec(
                "site",
                CellKind.TEXT,
                "Home school or work site, by code or name",
                "site, school, campus, building, school name, school code, site code, location, home school",
            ),
            _spec(
                "homeroom",
                CellKind.NAME,
                "Homeroom",
                "homeroom, home room, homeroom teacher, hr",
                personal=True,
            ),
            _spec(
                "left_on",
                CellKind.DATE,
                "The day on which they left",
                "left on, exit date, withdrawal date, withdraw date, termination date, end date",
            ),
        )
    }
)
"""The fields of a list of people by name."""

_GRADES = {
    "k": "KG",
    "kg": "KG",
    "kindergarten": "KG",
    "pk": "PK",
    "prek": "PK",
    "pre k": "PK",
    "prekindergarten": "PK",
    "tk": "TK",
}


def grade_code(text: str) -> str:
    """A grade as rosters code it: ``PK``, ``KG``, ``01`` to ``12``; others in upper case."""
    key = " ".join(text.casefold().replace("-", " ").split())
    key = key.removeprefix("grade ").removesuffix(" grade")
    if key in _GRADES:
        return _GRADES[key]
    ordinal = key.removesuffix("st").removesuffix("nd").removesuffix("rd").removesuffix("th")
    if ordinal.isascii() and ordinal.isdecimal() and 0 < int(ordinal) <= 13:
        return f"{int(ordinal):02d}"
    return text.strip().upper()
