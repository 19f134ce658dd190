"""All statements of one store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from assetflow.store.schema import KINDS, Kind, kind_of
from assetflow.store.sql.statements import JournalStatements, KindStatements, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetflow.model import Record
    from assetflow.store.sql.dialects import Engine

__all__ = ["Library"]

T = TypeVar("T")


class Library:
    """An engine and the statements compiled for it.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.journal: JournalStatements = JournalStatements(engine)
        self._kinds = {k.name: KindStatements(k, engine) for k in KINDS.values()}
        self._records = {found.kind.record: found for found in self._kinds.values()}
        self._queries = Shapes()

    def of(self, kind: Kind) -> KindStatements:
        """The statements over a kind's table."""
        return self._kinds[kind.name]

    def over(self, record: type[Record]) -> KindStatements:
        """The statements over the table of a record class.

        Raises:
            InvalidValue: not a class that a store keeps.
        """
        found = self._records.get(record)
        return found if found is not None else self.of(kind_of(record))

    def shape(self, shape: Any, make: Callable[[], T]) -> T:
        """The statement of a query's shape, made when it is not there."""
        return self._queries.get(shape, make)
