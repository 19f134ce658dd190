"""What a terminal shows: tables and the demo, calm, and without colour when NO_COLOR says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from assetflow.cli.demo_view import DemoCard

__all__ = ["console", "paint_demo", "table"]


def console() -> Console:
    """Standard output as rich writes to it."""
    return Console(highlight=False)


def table(heads: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    """Print a table; a cell that does not fit is cut with a mark, never wrapped."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1))
    for head, is_right in zip(heads, right, strict=True):
        shown.add_column(
            head, justify="right" if is_right else "left", no_wrap=True, overflow="ellipsis"
        )
    for row in cells:
        shown.add_row(*(Text(cell) for cell in row))
    console().print(shown)


def paint_demo(card: DemoCard, *, on: Console | None = None) -> None:
    """Print what the demo did, and what needs attention.

    Args:
        card: What it did.
        on: Instead of standard output, such as a console that records a picture.
    """
    to = on or console()
    to.print()
    to.print(_title(card))
    to.print()
    to.print(Padding(_steps(card), (0, 0, 0, 2)))
    to.print()
    to.print(Text("Needs attention today", style="bold"))
    to.print(Padding(_attention(card), (0, 0, 0, 2)))
    to.print()
    verified = Text("Journal verified  ", style="bold")
    verified.append("✓ ", style="green")
    verified.append(f"{card.events:,} events", style="default not bold")
    verified.append(f"   head {card.head[:16]}", style="dim not bold")
    to.print(verified)
    to.print()
    to.print(Text("Next", style="bold"))
    for command in card.next:
        to.print(Text(f"  {command}", style="cyan"), soft_wrap=True)
    to.print()


def _title(card: DemoCard) -> Text:
    title = Text(card.district, style="bold")
    title.append(f"   made up, seed {card.seed}, in ./{card.folder}", style="dim not bold")
    title.append(f"   {card.seconds:.1f} s, no network used", style="dim not bold")
    return title


def _steps(card: DemoCard) -> Table:
    shown = Table.grid(padding=(0, 3, 0, 0))
    shown.add_column(no_wrap=True)
    shown.add_column(style="dim", no_wrap=True)
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column()
    for step in card.steps:
        shown.add_row(step.name, step.source, step.found, step.result)
    return shown


def _attention(card: DemoCard) -> Table:
    shown = Table.grid(padding=(0, 3, 0, 0))
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column()
    shown.add_column(justify="right", style="dim", no_wrap=True)
    shown.add_column(justify="right", no_wrap=True)
    for group in card.attention:
        old = group.oldest_days
        what = Text(group.title)
        what.append(f"\n{group.command}", style="cyan")
        shown.add_row(
            Text(f"{group.count:,}", style="bold yellow"),
            what,
            f"oldest {old:,} days" if old is not None and old > 0 else "",
            "" if group.money is None else str(group.money),
        )
    return shown
