"""Finds the columns of a OneRoster file, in whatever order, case and spelling an exporter has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from attrs import frozen

from assetflow.errors import UnknownColumns
from assetflow.files import header_key

__all__ = ["COLUMNS", "REQUIRED", "Columns", "find_columns", "is_known"]

# OneRoster 1.1 and 1.2 CSV binding. ``password`` is left out on purpose: it is never read.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "manifest.csv": ("propertyName", "value"),
    "orgs.csv": ("sourcedId", "status", "name", "type", "identifier", "parentSourcedId"),
    "users.csv": (
        "sourcedId",
        "status",
        "enabledUser",
        "orgSourcedIds",
        "primaryOrgSourcedId",
        "role",
        "userIds",
        "givenName",
        "familyName",
        "preferredGivenName",
        "identifier",
        "email",
        "agentSourcedIds",
        "grades",
    ),
    "roles.csv": ("sourcedId", "status", "userSourcedId", "roleType", "role", "orgSourcedId"),
}
"""The columns that are read of each file."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "manifest.csv": ("propertyName", "value"),
    "orgs.csv": ("sourcedId", "name", "type"),
    "users.csv": ("sourcedId", "givenName", "familyName"),
    "roles.csv": ("userSourcedId", "role"),
}
"""The columns without which a file says nothing."""

_ALIASES: Mapping[str, str] = {
    # OneRoster 1.2 has one name in CSV and another in REST; exporters mix them.
    "preferredfirstname": "preferredGivenName",
    "primaryorg": "primaryOrgSourcedId",
    "orgsourcedid": "orgSourcedIds",
    "agents": "agentSourcedIds",
    "grade": "grades",
}
_CLOSE = 0.9  # prefferedGivenName, sourceId, famillyName; but not givenName for familyName


@frozen
class Columns:
    """Where a file's columns are."""

    at: Mapping[str, int]
    """Column to its number."""
    guessed: Mapping[str, str]
    """Heading as written to the column for which it was taken, where they differ by letters."""

    def cell(self, cells: Sequence[str], name: str) -> str:
        """The cell of a column; empty when the file has none."""
        number = self.at.get(name)
        return cells[number] if number is not None and number < len(cells) else ""


def is_known(name: str, heading: str) -> bool:
    """Whether a heading is one of a file's, letter for letter: by them the row of headings is found."""
    keys = {header_key(c) for c in COLUMNS[name]}
    return header_key(heading) in keys or header_key(heading) in _ALIASES


def find_columns(name: str, headers: Sequence[str]) -> Columns:
    """Where the columns of a file are.

    Args:
        name: The file's name in the standard.
        headers: The headings as written.

    Raises:
        UnknownColumns: a column is missing without which the file says nothing.
    """
    wanted = COLUMNS[name]
    keys = [header_key(h) for h in headers]
    at: dict[str, int] = {}
    for column in wanted:
        key = header_key(column)
        if key in keys:
            at[column] = keys.index(key)
    for number, key in enumerate(keys):
        alias = _ALIASES.get(key)
        if alias in wanted and alias not in at and number not in at.values():
            at[alias] = number
    guessed = _misspelt(wanted, headers, keys, at)
    missing = [c for c in REQUIRED[name] if c not in at]
    if missing:
        raise UnknownColumns(
            f"{name} has no column {', '.join(missing)}",
            hint="Export the roster as OneRoster 1.1 or 1.2 CSV.",
        )
    return Columns(at, guessed)


def _misspelt(
    wanted: Sequence[str], headers: Sequence[str], keys: Sequence[str], at: dict[str, int]
) -> dict[str, str]:
    """Columns whose heading differs by a letter or two, where only one heading comes close."""
    known = {header_key(c) for columns in COLUMNS.values() for c in columns} | {
        "password",
        "username",
    }
    free = [n for n, key in enumerate(keys) if key and n not in at.values() and key not in known]
    guessed: dict[str, str] = {}
    for column in wanted:
        if column in at:
            continue
        key = header_key(column)
        close = [n for n in free if SequenceMatcher(None, key, keys[n]).ratio() >= _CLOSE]
        if len(close) == 1:
            at[column] = close[0]
            guessed[headers[close[0]]] = column
            free.remove(close[0])
    return guessed
