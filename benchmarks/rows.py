"""The rows, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks import (
    acts,
    beside,
    books,
    bulk,
    decode,
    importing,
    on_server,
    over_http,
    pulls,
    writers,
)

if TYPE_CHECKING:
    from benchmarks.measure import Line
    from benchmarks.world import World

__all__ = ["ROWS"]

ROWS: Mapping[str, Callable[[World], Iterator[Line]]] = MappingProxyType(
    {
        "decode": decode.rows,
        "unchanged": pulls.unchanged_rows,
        "client": over_http.client_rows,
        "shards": over_http.shard_rows,
        "insert": bulk.rows,
        "changed": pulls.changed_rows,
        "check-out": acts.check_out_rows,
        "scale": acts.scale_rows,
        "server-check-out": on_server.check_out_rows,
        "server-insert": on_server.insert_rows,
        "server-changed": on_server.changed_rows,
        "writers": writers.writer_rows,
        "beside": beside.beside_rows,
        "import": importing.rows,
        "books": books.rows,
    }
)
"""Each row by its name. It may print several lines."""
