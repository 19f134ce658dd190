"""Rows that are fetched while they are read."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from assetflow.store.sql.reading import SqlRead

__all__ = ["Rows"]

Row = tuple[Any, ...]

_BATCH = 1000


class Rows:
    """The answer to one statement, some rows at a time, from the first demand on.

    It has a cursor of its own, so that other reads may go on beside it. Before the transaction
    writes, what has not been fetched yet is fetched, so that a write does not show in the rest of
    an answer. When the transaction ends, whoever reads on is told.

    Args:
        tx: The transaction.
        execute: Executes the statement and gives its cursor.
    """

    __slots__ = ("_batch", "_cursor", "_execute", "_rest", "_tx")

    def __init__(self, tx: SqlRead, execute: Callable[[], Any]) -> None:
        self._tx = tx
        self._execute = execute
        self._cursor: Any = None
        self._batch: list[Row] = []
        self._rest: list[Row] = []

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._batches())

    def _batches(self) -> Iterator[list[Row]]:
        self._tx.check()
        self._tx.remember(self)
        try:
            self._cursor = self._tx.guarded(self._execute)
            while True:
                self._batch = self._next()
                if not self._batch:
                    return
                yield self._batch
                # `end` empties the batch that is being read, which brings its reader here.
                self._tx.check()
        finally:
            self._tx.forget(self)
            self._release()

    def _next(self) -> list[Row]:
        cursor = self._cursor
        if cursor is None:
            rest, self._rest = self._rest, []
            return rest
        fetched: list[Row] = self._tx.guarded(lambda: list(cursor.fetchmany(_BATCH)))
        if len(fetched) < _BATCH:
            self._release()
        return fetched

    def settle(self) -> None:
        """Fetch what is left, before something is written."""
        cursor = self._cursor
        if cursor is not None:
            self._rest = self._tx.guarded(lambda: list(cursor.fetchall()))
            self._release()

    def end(self) -> None:
        """The transaction is over."""
        self._batch.clear()
        self._rest.clear()
        self._release()

    def _release(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            # A server is asked to close its cursor, and may be gone. What was fetched is here, and
            # whatever uses the connection next is told.
            with suppress(*self._tx.errors):
                cursor.close()
