"""Bytes to rows and back: tables and archives, read within limits, written safely."""

from assetflow.files.csv import (
    DELIMITERS,
    Row,
    Table,
    escape_cell,
    header_key,
    read_table,
    unescape_cell,
    write_table,
)
from assetflow.files.guards import DEFAULT_LIMITS, FileLimits, Readable, Source, as_source
from assetflow.files.notices import Notice
from assetflow.files.zip import Archive, open_archive

__all__ = [
    "DEFAULT_LIMITS",
    "DELIMITERS",
    "Archive",
    "FileLimits",
    "Notice",
    "Readable",
    "Row",
    "Source",
    "Table",
    "as_source",
    "escape_cell",
    "header_key",
    "open_archive",
    "read_table",
    "unescape_cell",
    "write_table",
]
