"""OneRoster: organisations and people from the student information system, as a CSV archive."""

from assetflow.connectors.oneroster.archive import (
    MODES,
    Roster,
    RosterProblem,
    RosterRow,
    read_roster,
)

__all__ = ["MODES", "Roster", "RosterProblem", "RosterRow", "read_roster"]
