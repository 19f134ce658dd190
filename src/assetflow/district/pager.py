"""Listings of records: lazy, and as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import evolve

from assetflow.errors import AmbiguousReference, InvalidValue, NotFound
from assetflow.model import Order, Query, Record
from assetflow.model.query import Field, Predicate, where_all
from assetflow.workflows.given import count as count_of

if TYPE_CHECKING:
    from assetflow.district.session import Session

__all__ = ["Pager"]

R = TypeVar("R", bound=Record)


class Pager(Generic[R]):
    """Records that a filter keeps, read as they are asked for.

    Each loop starts afresh and sees the store as it is when the loop begins. There is no
    length: [`count`][assetflow.district.Pager.count] asks the store. A filter on a field that is
    unknown for some records leaves them out; [`left_out_unknown`]
    [assetflow.district.Pager.left_out_unknown] says how many.
    """

    __slots__ = ("_query", "_session")

    def __init__(self, session: Session, query: Query[R]) -> None:
        self._session = session
        self._query = query

    def __iter__(self) -> Iterator[R]:
        with self._session.read() as tx:
            yield from tx.find(self._query)

    def where(self, *conditions: Predicate) -> Pager[R]:
        """Only those that all of these conditions keep as well."""
        kept = (self._query.where,) if self._query.where is not None else ()
        return self._with(where=where_all((*kept, *conditions)))

    def order_by(self, *fields: Field | str, descending: bool = False) -> Pager[R]:
        """Sorted by these fields; unknown values come last, the key settles ties."""
        names = [f if isinstance(f, str) else f.name for f in fields]
        return self._with(order=tuple(Order(n, descending) for n in names))

    def limit(self, count: int) -> Pager[R]:
        """At most so many.

        Raises:
            InvalidValue: a negative count, or no whole number.
        """
        return self._with(limit=count_of(count, "a limit"))

    def _with(self, **changes: Any) -> Pager[R]:
        return Pager(self._session, evolve(self._query, **changes))

    def count(self) -> int:
        """How many there are now."""
        with self._session.read() as tx:
            return tx.count(self._query)

    def left_out_unknown(self) -> int:
        """How many records the filter leaves out only because a field that it compares is unknown."""
        hidden = self._query.unknown()
        if hidden is None:
            return 0
        with self._session.read() as tx:
            return tx.count(hidden)

    def first(self) -> R | None:
        """The first one, or ``None``."""
        return next(iter(self.limit(1)), None)

    def one(self) -> R:
        """The only one.

        Raises:
            NotFound: there is none.
            AmbiguousReference: there are several; the error lists at most ten ids.
        """
        found = list(self.limit(11))
        if not found:
            msg = f"no {self._query.kind.KIND} answers to the filter"
            raise NotFound(msg)
        if len(found) > 1:
            msg = f"several of kind {self._query.kind.KIND} answer to the filter"
            ids = [":".join(str(getattr(r, k)) for k in r.KEY) for r in found]
            raise AmbiguousReference(msg, candidates=ids)
        return found[0]

    def all(self, *, max_items: int = 100_000) -> list[R]:
        """All of them as a list.

        Raises:
            InvalidValue: there are more than *max_items*; loop over the listing instead.
        """
        found = list(self.limit(max_items + 1))
        if len(found) > max_items:
            msg = f"more than {max_items:,} records"
            raise InvalidValue(msg, hint="Loop over the listing, or raise max_items.")
        return found

    def __repr__(self) -> str:
        return f"<listing of {self._query.kind.KIND}>"
