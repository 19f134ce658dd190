"""Reporting views.

They are no part of the history: every upgrade makes them anew at its end (``env.py``), from the
tables of its version. This revision changes nothing, so that there is an upgrade at whose end a
database of an earlier version gets them.
"""

from __future__ import annotations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: see above."""
