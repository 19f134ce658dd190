"""What needs a person today: typed items, sorted by urgency, each with the call that resolves it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import TYPE_CHECKING

from attrs import frozen

from assetflow.errors import InvalidValue
from assetflow.model import Money
from assetflow.workflows.attention_finders import KINDS
from assetflow.workflows.attention_items import AttentionItem, AttentionKind, Scope
from assetflow.workflows.given import listed

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction

__all__ = [
    "KINDS",
    "AttentionGroup",
    "AttentionItem",
    "AttentionKind",
    "Scope",
    "attention",
    "attention_groups",
]


@frozen(kw_only=True)
class AttentionGroup:
    """All items of one kind, in one line."""

    kind: str
    """The kind."""
    title: str
    """What a list calls it."""
    count: int
    """How many items there are."""
    money: Money | None
    """Money at stake over those of which it is known; ``None`` when it is known of none, or in
    several currencies."""
    money_unknown: int
    """Of how many items it is not known."""
    oldest_days: int | None
    """The age of the oldest item, where one is known."""
    first: AttentionItem
    """The first item, for its command."""


def attention(
    tx: ReadTransaction,
    on: date,
    *,
    kinds: Collection[str] | None = None,
    ending_within: int = 90,
    known: Iterable[AttentionKind] = KINDS,
) -> list[AttentionItem]:
    """What needs a person.

    Args:
        tx: Reads of the district.
        on: The day that counts as today.
        kinds: Only these kinds; ``None`` for all.
        ending_within: How many days ahead to look for what ends.
        known: The kinds there are.

    Returns:
        The items: the most urgent kind first, in it the oldest, then the most money.

    Raises:
        InvalidValue: a kind that is not known, or days that are negative.
    """
    wanted = _wanted(known, kinds)
    if ending_within < 0:
        raise InvalidValue("days to look ahead are not negative")
    scope = Scope(tx, on, ending_within=ending_within)
    found: list[AttentionItem] = []
    for kind in wanted:
        found += sorted(kind.find(scope), key=_order)
    return found


def attention_groups(
    items: Iterable[AttentionItem], *, known: Iterable[AttentionKind] = KINDS
) -> list[AttentionGroup]:
    """The items in one line a kind, in the order of urgency.

    Args:
        items: The items, in the order that `attention` gives.
        known: The kinds there are.
    """
    titles = {k.kind: k.title for k in sorted(known, key=lambda k: k.urgency)}
    grouped: dict[str, list[AttentionItem]] = {kind: [] for kind in titles}
    for item in items:
        grouped.setdefault(item.kind, []).append(item)
    return [_group(k, titles.get(k, k), some) for k, some in grouped.items() if some]


def _wanted(known: Iterable[AttentionKind], kinds: Collection[str] | None) -> list[AttentionKind]:
    there = sorted(known, key=lambda k: k.urgency)
    if kinds is None:
        return there
    kinds = listed(str, kinds, "kinds")
    names = [k.kind for k in there]
    if not set(kinds) <= set(names):
        raise InvalidValue("no such kind", hint=f"Known are: {', '.join(names)}.")
    return [k for k in there if k.kind in kinds]


def _order(item: AttentionItem) -> tuple[bool, int, int, str, str]:
    age = 0 if item.age_days is None else item.age_days
    money = 0 if item.money is None else item.money.minor
    return (item.age_days is None, -age, -money, item.label, item.subject_id)


def _group(kind: str, title: str, items: list[AttentionItem]) -> AttentionGroup:
    stakes = [i.money for i in items if i.money is not None]
    total: Money | None = None
    if len({m.currency for m in stakes}) == 1:
        total = Money(sum(m.minor for m in stakes), stakes[0].currency)
    ages = [i.age_days for i in items if i.age_days is not None]
    return AttentionGroup(
        kind=kind,
        title=title,
        count=len(items),
        money=total,
        money_unknown=len(items) - len(stakes),
        oldest_days=max(ages, default=None),
        first=items[0],
    )
