"""The schema's history, as Alembic revisions. A revision that was released never changes."""
