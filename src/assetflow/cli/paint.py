"""What a terminal shows: tables and the demo, calm, and without colour when NO_COLOR says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assetflow.cli.demo_view import step_lines

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
    for line in _demo(card):
        # a command that is cut in two cannot be pasted, so the terminal wraps and not rich
        to.print(line, soft_wrap=True)


def _demo(card: DemoCard) -> Iterator[Text]:
    yield Text()
    yield _joined((card.district, "bold"), (f"   made up, in ./{card.folder}", "dim"))
    yield Text()
    yield from (Text(f"  {line}") for line in step_lines(card))
    yield Text()
    yield Text("Needs attention today" if card.attention else "Nothing needs attention.", "bold")
    yield from _attention(card)
    yield Text()
    yield _joined(
        ("Journal verified", "bold"),
        (" ✓", "green"),
        (f"  {card.events:,} events, head {card.head[:16]}", "dim"),
        (f"   {card.seconds:.1f} s, no network used", "dim"),
    )
    yield Text()
    yield Text("Next", "bold")
    yield from (Text(f"  {command}", "cyan") for command in card.next)
    yield Text()


def _attention(card: DemoCard) -> Iterator[Text]:
    wide = max((len(group.title) for group in card.attention), default=0)
    for group in card.attention:
        old = group.oldest_days
        age = f"oldest {old:,} days" if old is not None and old > 0 else ""
        money = "" if group.money is None else str(group.money)
        yield _joined(
            (f"  {group.count:>5,}", "bold yellow"),
            (f"  {group.title:<{wide}}", ""),
            (f"  {age:>15}", "dim"),
            (f"  {money:>11}", ""),
        )
        yield Text(f"         {group.command}", "cyan")


def _joined(*parts: tuple[str, str]) -> Text:
    line = Text()
    for words, style in parts:
        line.append(words, style)
    return line
