"""Figures of several districts in one statement, grouped by the district."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetflow.store.checks import checked_aggregate
from assetflow.store.sql.filters import Figures, aggregate_plan
from assetflow.store.sql.row_security import Reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import Aggregate, DistrictId
    from assetflow.store.sql.library import Library

__all__ = ["figures_across"]


def figures_across(
    library: Library, districts: Sequence[DistrictId], aggregate: Aggregate[Any]
) -> dict[DistrictId, list[dict[str, Any]]]:
    """The figures of an aggregate for each of these districts, under their ids in that order.

    Args:
        library: The engine and its statements.
        districts: Which; the statement names them, and no other.
        aggregate: What to compute, for each of them alone.

    Raises:
        InvalidValue: a name that is not there, or a figure that means nothing.
    """
    kind, checked = checked_aggregate(aggregate)
    plan, values = aggregate_plan(checked)
    engine = library.engine
    figures = library.shape(
        ("across", kind.name, plan), lambda: Figures(plan, kind, engine, across=True)
    )
    listed = engine.list_value
    bound = [listed(v) if type(v) is list else v for v in [list(districts), *values]]

    def ask() -> list[Any]:
        reach = Reach(districts=tuple(districts))
        connection = engine.begun(lambda c: engine.begin_read(c, reach))
        try:
            cursor = connection.cursor()
            cursor.execute(figures.statement.sql, figures.statement.bind(bound))
            rows: list[Any] = list(cursor.fetchall())
            cursor.close()
        finally:
            engine.give_up(connection)
        return rows

    found: dict[DistrictId, list[Any]] = {district: [] for district in districts}
    for row in engine.guarded(ask) if districts else []:
        found[row[0]].append(row)
    # A group that nothing is in has no row; without groups there is one all the same.
    empty = checked.rows(())
    return {d: figures.read(rows) if rows else empty for d, rows in found.items()}
