"""OneRoster's words to ours: organisations to places, users to people. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

from assetflow.files import bare, is_placeholder, spoilt_identifier, spoilt_text
from assetflow.model import ObservedPerson, ObservedPlace, PersonKind, PersonStatus, PlaceKind

__all__ = [
    "BadValue",
    "Role",
    "is_removed",
    "listed",
    "observe_org",
    "observe_user",
    "role_of",
    "text",
]

_ORGS: Mapping[str, PlaceKind | None] = {
    "school": PlaceKind.SITE,
    "department": PlaceKind.DEPARTMENT,
    "district": PlaceKind.DISTRICT,
    "local": PlaceKind.DISTRICT,
    "state": None,
    "national": None,
}
"""Organisation type to place; ``None`` for what lies above a district."""

_STAFF = (
    "administrator", "aide", "counselor", "districtadministrator", "principal", "proctor",
    "siteadministrator", "systemadministrator", "teacher",
)  # fmt: skip
_ROLES: Mapping[str, PersonKind] = {
    "student": PersonKind.STUDENT,
    **dict.fromkeys(_STAFF, PersonKind.STAFF),
    **dict.fromkeys(("guardian", "parent", "relative"), PersonKind.GUARDIAN),
}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,19}")


class BadValue(Exception):
    """A value that cannot be read: its column, and a code. Never the value."""

    def __init__(self, column: str, code: str, message: str) -> None:
        super().__init__(message)
        self.column: str = column
        self.code: str = code
        self.message: str = message


@frozen
class Role:
    """What a user is somewhere."""

    kind: PersonKind
    """Student, staff or guardian."""
    word: str
    """OneRoster's own word, such as ``parent``."""
    org: str | None = None
    """The organisation's id."""
    primary: bool = False
    """Whether it is the user's primary role."""


def text(cell: str, column: str) -> str | None:
    """A cell's text; ``None`` when it is empty.

    Raises:
        BadValue: what a spreadsheet made of it.
    """
    found = bare(cell)
    if not found:
        return None
    if code := spoilt_text(found):
        raise BadValue(column, code, "holds no text that can be used")
    return found


def _identifier(cell: str, column: str) -> str | None:
    found = text(cell, column)
    if found is None or is_placeholder(found):
        return None
    if code := spoilt_identifier(found):
        raise BadValue(column, code, "holds an identifier that a spreadsheet spoilt")
    return found


def listed(cell: str) -> tuple[str, ...]:
    """The parts of a cell that holds a list: commas between, each part once."""
    return tuple(dict.fromkeys(part for part in map(bare, cell.split(",")) if part))


def is_removed(status: str) -> bool:
    """Whether a row's status says that the record is gone."""
    return bare(status).casefold() in {"tobedeleted", "inactive"}


def role_of(word: str, *, org: str | None = None, primary: bool = False) -> Role | None:
    """What a role means here; ``None`` for a word that the standard does not have."""
    key = re.sub(r"[^a-z]", "", bare(word).casefold())
    kind = _ROLES.get(key)
    return None if kind is None else Role(kind, key, org, primary)


def observe_org(
    source_id: str, name: str | None, kind: str, code: str | None, parent: str | None
) -> ObservedPlace | None:
    """An organisation as a place; ``None`` for one above the district.

    Raises:
        BadValue: no name, or an unknown type.
    """
    if name is None:
        raise BadValue("name", "empty", "is empty")
    word = bare(kind).casefold()
    if word not in _ORGS and not word.startswith("ext:"):
        raise BadValue("type", "unknown-word", "is no type of organisation")
    found = _ORGS.get(word, PlaceKind.SITE)
    if found is None:
        return None
    if word == "local" and parent is not None:
        found = PlaceKind.SITE  # below a district, an agency is one of its sites
    short = code if code is not None and _CODE.fullmatch(code) else None
    return ObservedPlace(
        source_id=source_id,
        kind=found,
        name=" ".join(name.split()),
        code=short,
        parent_source_id=parent,
    )


def observe_user(cells: Mapping[str, str], role: Role, *, removed: bool) -> ObservedPerson:
    """A user as a person.

    A guardian's account may be switched off while the guardian is one; a student's or an
    employee's that is switched off says that they are no longer there.

    Args:
        cells: Column to cell.
        role: The role that counts.
        removed: Whether the row's status says that the record is gone.

    Raises:
        BadValue: a cell that cannot be read.
    """
    off = bare(cells.get("enabledUser", "")).casefold() in {"false", "0", "no"}
    gone = removed or (off and role.kind is not PersonKind.GUARDIAN)
    grades = listed(cells.get("grades", ""))

    def named(column: str) -> str | None:
        found = text(cells.get(column, ""), column)
        return " ".join(found.split()) if found else None

    return ObservedPerson(
        source_id=bare(cells["sourcedId"]),
        kind=role.kind,
        status=PersonStatus.LEFT if gone else PersonStatus.ACTIVE,
        local_id=_identifier(cells.get("identifier", ""), "identifier"),
        given_name=named("givenName"),
        family_name=named("familyName"),
        preferred_name=named("preferredGivenName"),
        email=_identifier(cells.get("email", ""), "email"),
        grade=grades[0] if grades else None,
        place_source_id=role.org,
        guardian_source_ids=listed(cells.get("agentSourcedIds", ""))
        if role.kind is PersonKind.STUDENT
        else (),
    )
