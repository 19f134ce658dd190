"""Row-level security on PostgreSQL.

Which tables have it follows from the tables, so every upgrade sees to it at its end
(``finish.py``), also for tables of later revisions. This revision changes nothing, so that there
is an upgrade at whose end a database of an earlier version gets it.
"""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: see above."""
