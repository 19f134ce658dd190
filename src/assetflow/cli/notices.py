"""Attention and the journal's verification as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from assetflow.cli.shapes import AttentionGroupRow, AttentionRow, JournalRow
from assetflow.cli.shown import Output
from assetflow.errors import JournalBroken
from assetflow.workflows.attention import attention_groups

if TYPE_CHECKING:
    from assetflow.district import District
    from assetflow.store.seals import Seal
    from assetflow.workflows.attention import AttentionItem

Pasted = Callable[[str], str]

__all__ = ["attention_items", "group_rows", "item_rows", "journal_row", "tell_attention"]


def attention_items(
    district: District, *, on: date | None, kinds: Sequence[str]
) -> list[AttentionItem]:
    """What needs a person; of some kinds when any are named."""
    return district.attention(on=on, kinds=tuple(kinds) or None)


def item_rows(items: Sequence[AttentionItem], pasted: Pasted) -> list[AttentionRow]:
    """One row for each item."""
    return [AttentionRow.of(item, command=pasted(item.command)) for item in items]


def group_rows(items: Sequence[AttentionItem], pasted: Pasted) -> list[AttentionGroupRow]:
    """One row for each kind, with the command that shows its items."""
    return [
        AttentionGroupRow.of(group, command=pasted(f"assetflow attention --kind {group.kind}"))
        for group in attention_groups(items)
    ]


def tell_attention(
    out: Output, items: Sequence[AttentionItem], pasted: Pasted, *, each: bool
) -> None:
    """Write what needs a person: each item, or one line for each kind."""
    empty = "Nothing needs attention."
    if each:
        out.listing(
            "attention.items",
            AttentionRow,
            item_rows(items, pasted),
            columns=("kind", "label", "age_days", "money", "detail", "command"),
            empty=empty,
        )
    elif out.rich and items:
        from assetflow.cli.paint import paint_attention  # noqa: PLC0415  # rich is only for terminals

        paint_attention(group_rows(items, pasted))
    else:
        out.listing(
            "attention.groups",
            AttentionGroupRow,
            group_rows(items, pasted),
            columns=("title", "count", "oldest_days", "money", "command"),
            empty=empty,
        )


def journal_row(
    district: District, *, since: Seal | int = 0, key: bytes | None = None
) -> JournalRow:
    """Verify the journal.

    Args:
        district: Whose.
        since: Hash only what came after this seal or number.
        key: Check the seal's signature with it.

    Raises:
        JournalBroken: the chain does not hold, or the tables do not follow from it.
        SealInvalid: the seal is not of this district, or not signed with the key.
    """
    found = district.journal.verify(since=since, key=key)
    differences = [str(d) for d in (*found.replayed, *found.derived)]
    if differences:
        raise JournalBroken(
            f"tables differ from the journal in {len(differences):,} places",
            count=len(differences),
            differences=tuple(differences[:10]),
        )
    head = found.journal.head
    return JournalRow(verified=True, events=head.seq, checked=found.journal.events, head=head.hash)
