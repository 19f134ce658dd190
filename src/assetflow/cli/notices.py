"""Attention and the journal's verification as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from assetflow.cli.shapes import AttentionGroupRow, AttentionRow, JournalRow
from assetflow.cli.shown import Output
from assetflow.errors import JournalBroken
from assetflow.workflows.attention import attention_groups

if TYPE_CHECKING:
    from assetflow.district import District
    from assetflow.workflows.attention import AttentionItem

__all__ = ["attention_items", "group_rows", "item_rows", "journal_row", "tell_attention"]


def attention_items(
    district: District, *, on: date | None, kinds: Sequence[str]
) -> list[AttentionItem]:
    """What needs a person; of some kinds when any are named."""
    return district.attention(on=on, kinds=tuple(kinds) or None)


def item_rows(items: Sequence[AttentionItem]) -> list[AttentionRow]:
    """One row for each item."""
    return [AttentionRow.of(item) for item in items]


def group_rows(
    items: Sequence[AttentionItem], *, program: str = "assetflow", suffix: str = ""
) -> list[AttentionGroupRow]:
    """One row for each kind, with the command that shows its items."""
    groups = attention_groups(items)
    return [AttentionGroupRow.of(group, program=program, suffix=suffix) for group in groups]


def tell_attention(out: Output, items: Sequence[AttentionItem], *, each: bool) -> None:
    """Write what needs a person: each item, or one line for each kind."""
    empty = "Nothing needs attention."
    if each:
        columns = ("kind", "label", "age_days", "money", "command")
        out.listing("attention.items", AttentionRow, item_rows(items), columns=columns, empty=empty)
    else:
        columns = ("title", "count", "oldest_days", "money", "command")
        out.listing(
            "attention.groups", AttentionGroupRow, group_rows(items), columns=columns, empty=empty
        )


def journal_row(district: District) -> JournalRow:
    """Verify the journal.

    Raises:
        JournalBroken: the chain does not hold, or the tables do not follow from it.
    """
    found = district.journal.verify()
    differences = [str(d) for d in (*found.replayed, *found.derived)]
    if differences:
        raise JournalBroken(
            f"tables differ from the journal in {len(differences):,} places",
            count=len(differences),
            differences=tuple(differences[:10]),
        )
    head = found.journal.head
    return JournalRow(verified=True, events=head.seq, head=head.hash)
