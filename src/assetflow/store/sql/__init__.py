"""The store on SQL databases: SQLite now; another database is one more `Engine`."""

from assetflow.store.sql.migrate import HEAD, REVISIONS
from assetflow.store.sql.store import SqlStore

__all__ = ["HEAD", "REVISIONS", "SqlStore"]
