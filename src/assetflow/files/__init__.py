"""Bytes to rows and back: tables and archives, read within limits, written safely."""

from assetflow.files.cells import bare, is_placeholder, spoilt_identifier, spoilt_text
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
    "bare",
    "escape_cell",
    "header_key",
    "is_placeholder",
    "open_archive",
    "read_table",
    "spoilt_identifier",
    "spoilt_text",
    "unescape_cell",
    "write_table",
]
