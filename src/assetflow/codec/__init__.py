"""Conversions between values and what is stored or exchanged; the only place that uses cattrs.

Two kinds of work are done here. *Values* (event payloads, JSON columns, policy files) go through
one strict cattrs converter: text comes from text only, a flag is not a number, unknown keys are
refused, and an error names the place and never the value. *Rows* go through a
[`RowCodec`][assetflow.codec.RowCodec], which turns a record into plain values in column order and
back, at a cost that a fleet of 100,000 devices can bear.

Plain values are text, whole numbers, bytes and ``None``: what a database, a Parquet file and
JSON hold alike.
"""

from assetflow.codec._written import write_instant
from assetflow.codec.columns import Column, ColumnType
from assetflow.codec.rows import RowCodec, Stored
from assetflow.codec.text import Tally, clean_text, encode_plain
from assetflow.codec.values import (
    from_json,
    from_plain,
    read_date,
    read_instant,
    to_json,
    to_plain,
)

__all__ = [
    "Column",
    "ColumnType",
    "RowCodec",
    "Stored",
    "Tally",
    "clean_text",
    "encode_plain",
    "from_json",
    "from_plain",
    "read_date",
    "read_instant",
    "to_json",
    "to_plain",
    "write_instant",
]
