"""Many districts, of which only figures are read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from assetflow.district.opening import store_at
from assetflow.errors import InvalidValue, UnknownDistrict
from assetflow.model import FIGURES, DistrictId
from assetflow.rules.across import (
    FiguresAcross,
    checked_across,
    counted,
    distinct_parts,
    figures_of,
    smallest_for,
)
from assetflow.store.across import aggregate_across

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import Aggregate
    from assetflow.store.ports import Store

__all__ = ["Consortium", "open_consortium"]


def open_consortium(url: str | os.PathLike[str] | Store, *, districts: Sequence[str]) -> Consortium:
    """Open several districts of one store, to compare and add up what they have.

    ``assetflow.open_consortium("postgresql://db.example/assets", districts=["lincoln", "polk"])``

    Args:
        url: A database address, the path of an SQLite file, or a store that is open already and
            stays its caller's to close.
        districts: The ids of the districts, each named. There is no way to say "all".

    Raises:
        InvalidValue: no district, or one named twice.
        UnknownDistrict: the store does not hold one of them.
        StoreUnavailable: there is no such file or server.
    """
    if isinstance(districts, str) or not districts or len(set(districts)) < len(districts):
        msg = "a consortium is a list of districts, each named once"
        raise InvalidValue(msg, hint='districts=["lincoln", "jefferson"]')
    owned = isinstance(url, str | os.PathLike)
    store = store_at(os.fspath(url)) if isinstance(url, str | os.PathLike) else url
    consortium = Consortium(store, [DistrictId(d) for d in districts], owns_store=owned)
    try:
        _check_held(store, consortium.districts)
    except BaseException:
        consortium.close()
        raise
    return consortium


def _check_held(store: Store, districts: Sequence[DistrictId]) -> None:
    if not set(districts) <= set(store.districts()):
        msg = "the store does not hold one of those districts"
        raise UnknownDistrict(msg)


class Consortium:
    """Several districts of one store. Made by [`assetflow.open_consortium`][assetflow.open_consortium].

    It gives figures and nothing else: no record of any district can be had from it. Whoever may
    see a district's records opens that district.
    """

    def __init__(self, store: Store, districts: Sequence[DistrictId], *, owns_store: bool) -> None:
        self._store = store
        self._districts = tuple(districts)
        self._owns_store = owns_store

    @property
    def districts(self) -> tuple[DistrictId, ...]:
        """The districts that it was opened for, in that order."""
        return self._districts

    def figures(
        self, figure: str | Aggregate[Any], *, smallest_cell: int | None = None
    ) -> FiguresAcross:
        """A shipped figure, by name, or an aggregate of one's own: for each district, and in total.

        A field that is personal, or tells one record from another, can be neither grouped nor
        filtered by, and has no smallest or largest value.

        Args:
            figure: The name or the aggregate.
            smallest_cell: Rows over fewer records than that are withheld, with as many others as
                it takes that the total does not give them away. When not given it is 10 where
                the records are of people (persons, custody, holds), else 1, which withholds
                nothing. It guards one answer; who compares many answers may still learn more.

        Raises:
            KeyError: no figure has that name; `assetflow.model.FIGURES` has the names.
            InvalidValue: it would show records, or means nothing.
        """
        aggregate = FIGURES[figure] if isinstance(figure, str) else figure
        checked_across(aggregate)
        smallest = smallest_for(aggregate.kind) if smallest_cell is None else smallest_cell
        if smallest < 1:
            msg = "the smallest cell has at least one record"
            raise InvalidValue(msg, hint="1 withholds nothing.")
        rows = aggregate_across(self._store, self._districts, counted(aggregate))
        members = {
            name: aggregate_across(self._store, self._districts, part)
            for name, part in distinct_parts(aggregate).items()
        }
        return figures_of(aggregate, rows, members, smallest_cell=smallest)

    def close(self) -> None:
        """Let go of the store, when this consortium opened it."""
        if self._owns_store:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<consortium of {len(self._districts)} districts in {self._store.address}>"
