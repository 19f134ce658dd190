"""What may be read of several districts at once, and how their figures add up.

A consortium sees figures, never records. So a figure that reads across districts may group, filter
and measure by what describes a record, not by what identifies a person or a record; a group per
student number would be a list of students. Where records are of people, a small cell is withheld,
and with it as many others as it takes that the total does not give it away: the complementary
suppression of the NCES technical brief 3, "Statistical Methods for Protecting Personally
Identifiable Information in Aggregate Reporting" (NCES 2011-603).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, fields, frozen

from assetflow.errors import InvalidValue
from assetflow.model import Aggregate, DistrictId, ImportBatch, Role, Run
from assetflow.model.custody import Custody, OpenCustody
from assetflow.model.fields import role_of
from assetflow.model.people import Guardianship, Hold, Person, PersonLink
from assetflow.model.query import Measure, count

if TYPE_CHECKING:
    from assetflow.model import Record

__all__ = [
    "FiguresAcross",
    "checked_across",
    "counted",
    "distinct_parts",
    "figures_of",
    "smallest_for",
]

Row = Mapping[str, Any]
Group = tuple[Any, ...]
ByDistrict = Mapping[DistrictId, Sequence[Row]]

SMALLEST_CELL_OF_PEOPLE = 10
"""Fewest records in a cell that is shown, where the records are of people."""

_OF_PEOPLE: frozenset[type[Record]] = frozenset(
    {Custody, Guardianship, Hold, OpenCustody, Person, PersonLink}
)
_NOT_JOURNALLED_BUT_TOLD: frozenset[type[Record]] = frozenset({ImportBatch, Run})
# Ids that many records share: a place's, a model's.
_SHARED_IDS = frozenset({"model_id", "parent_id", "room_id", "site_id"})
_IDENTIFIES = frozenset({"asset_tag", "serial", "serial_key", "tag_key"})
_CELL = "records in the cell"


@frozen(kw_only=True)
class FiguresAcross:
    """An aggregate over several districts: one list of rows for each, and one in total.

    A row that is withheld has its groups and ``None`` for every measure.
    """

    by_district: Mapping[DistrictId, tuple[Row, ...]]
    """The rows of each district, in the order in which the districts were named."""
    total: tuple[Row, ...]
    """The same over all of them together."""
    smallest_cell: int
    """Fewest records in a cell that is shown; 1 when all are."""
    withheld: int
    """How many rows are withheld, of districts and in total."""


def smallest_for(kind: type[Record]) -> int:
    """The smallest cell that is shown when nothing is said: 10 for records of people, else 1."""
    return SMALLEST_CELL_OF_PEOPLE if kind in _OF_PEOPLE else 1


def checked_across(aggregate: Aggregate[Any]) -> None:
    """Refuse a figure that would show records of other districts.

    Raises:
        InvalidValue: a kind that is machinery, or a field that is personal or identifies a record.
    """
    kind = aggregate.kind
    roles = {a.name: role_of(a.type) for a in fields(kind)}
    if Role.JOURNALLED not in roles.values() and kind not in _NOT_JOURNALLED_BUT_TOLD:
        msg = f"{kind.KIND} is not read across districts"
        raise InvalidValue(msg, hint="Ask each district by itself.", kind=kind.KIND)
    named = {group.partition(":")[0] for group in aggregate.group_by}
    named |= {m.field for m in aggregate.measures if m.field is not None}
    named |= aggregate.where.fields() if aggregate.where is not None else set()
    for name in sorted(named):
        if roles.get(name) is Role.PERSONAL or _identifies(kind, name):
            msg = f"{kind.KIND}.{name} tells records apart and is not read across districts"
            hint = "Group and filter by what many records share, such as site_id or lifecycle."
            raise InvalidValue(msg, hint=hint, kind=kind.KIND, field=name)


def _identifies(kind: type[Record], name: str) -> bool:
    if name in _SHARED_IDS:
        return False
    return name in {*kind.KEY, *_IDENTIFIES} or name.endswith("_id")


def counted(aggregate: Aggregate[Any]) -> Aggregate[Any]:
    """The aggregate with the number of records in each cell, by which small ones are found."""
    return evolve(aggregate, measures=(*aggregate.measures, count(_CELL)))


def distinct_parts(aggregate: Aggregate[Any]) -> dict[str, Aggregate[Any]]:
    """For each count of distinct values the aggregate that lists them, by the measure's name.

    Distinct values of several districts do not add up: both may have the same model.
    """
    return {
        m.name: Aggregate(
            kind=aggregate.kind,
            group_by=(*aggregate.group_by, m.field),
            measures=(count(_CELL),),
            where=aggregate.where,
        )
        for m in aggregate.measures
        if m.function == "count_distinct" and m.field is not None
    }


def figures_of(
    aggregate: Aggregate[Any],
    rows: ByDistrict,
    members: Mapping[str, ByDistrict],
    *,
    smallest_cell: int,
) -> FiguresAcross:
    """The rows of each district and their total, small cells withheld.

    Args:
        aggregate: What was asked.
        rows: What each district answered to [`counted`][assetflow.rules.across.counted].
        members: What each answered to the aggregates of
            [`distinct_parts`][assetflow.rules.across.distinct_parts], by their names.
        smallest_cell: Fewest records in a cell that is shown.
    """
    cells = {
        district: {_group(aggregate, row): row for row in answered}
        for district, answered in rows.items()
    }
    groups = sorted(
        {group for found in cells.values() for group in found},
        key=lambda g: tuple((v is None, v) for v in g),
    )
    distinct = {name: _distinct(aggregate, by) for name, by in members.items()}
    shown: dict[DistrictId, list[Row]] = {district: [] for district in rows}
    total: list[Row] = []
    withheld = 0
    for group in groups:
        here = {d: found[group] for d, found in cells.items() if group in found}
        hidden, hide_total = _small({d: row[_CELL] for d, row in here.items()}, smallest_cell)
        for district, row in here.items():
            plain = {name: value for name, value in row.items() if name != _CELL}
            shown[district].append(_blank(aggregate, plain) if district in hidden else plain)
        sum_row = _total(aggregate, group, list(here.values()), distinct)
        total.append(_blank(aggregate, sum_row) if hide_total else sum_row)
        withheld += len(hidden) + hide_total
    return FiguresAcross(
        by_district={d: tuple(found) for d, found in shown.items()},
        total=tuple(total),
        smallest_cell=smallest_cell,
        withheld=withheld,
    )


def _group(aggregate: Aggregate[Any], row: Row) -> Group:
    return tuple(row[name] for name in aggregate.group_by)


def _distinct(aggregate: Aggregate[Any], by_district: ByDistrict) -> dict[Group, int]:
    """How many different known values all districts together have in each group."""
    found: dict[Group, set[Any]] = {}
    width = len(aggregate.group_by)
    for rows in by_district.values():
        for row in rows:
            values = list(row.values())
            if values[width] is not None:
                found.setdefault(tuple(values[:width]), set()).add(values[width])
    return {group: len(values) for group, values in found.items()}


def _small(cells: Mapping[DistrictId, int], smallest: int) -> tuple[set[DistrictId], bool]:
    """Which districts' cells of a group are withheld, and whether its total is.

    A cell that nothing is in is no secret. What is withheld holds, together, at least as many
    records as the smallest cell that is shown, and is never one cell alone beside a total.
    """
    there = sorted((n, d) for d, n in cells.items() if n > 0)
    hidden = {d for n, d in there if n < smallest}
    if not hidden:
        return hidden, False
    for _, district in there:
        if len(hidden) > 1 and sum(cells[d] for d in hidden) >= smallest:
            break
        hidden.add(district)
    return hidden, sum(cells.values()) < smallest or len(there) == 1


def _blank(aggregate: Aggregate[Any], row: Row) -> Row:
    return {name: value if name in aggregate.group_by else None for name, value in row.items()}


def _total(
    aggregate: Aggregate[Any],
    group: Group,
    rows: Sequence[Row],
    distinct: Mapping[str, Mapping[Group, int]],
) -> Row:
    total: dict[str, Any] = dict(zip(aggregate.group_by, group, strict=True))
    for measure in aggregate.measures:
        for name, combine in _combining(measure):
            total[name] = combine([row[name] for row in rows if row[name] is not None])
        if measure.name in distinct:
            total[measure.name] = distinct[measure.name].get(group, 0)
    return total


def _combining(measure: Measure) -> Iterable[tuple[str, Callable[[list[Any]], Any]]]:
    """The entries of a measure in a row, and how those of several districts become one."""
    match measure.function:
        case "min":
            return ((measure.name, lambda known: min(known, default=None)),)
        case "max":
            return ((measure.name, lambda known: max(known, default=None)),)
        case "sum":
            return ((measure.name, _sum),)
        case "average":
            return ((f"{measure.name}_sum", _sum), (f"{measure.name}_count", sum))
        case _:
            return ((measure.name, sum),)


def _sum(known: list[int]) -> int | None:
    return sum(known) if known else None
