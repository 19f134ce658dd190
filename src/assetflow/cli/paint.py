"""What a terminal shows: lists and the demo, calm, and without colour when NO_COLOR says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from assetflow.cli.demo_view import step_lines

if TYPE_CHECKING:
    from assetflow.cli.demo_view import DemoCard
    from assetflow.cli.shapes import AttentionGroupRow

__all__ = ["console", "lines", "paint_attention", "paint_demo", "width"]


def console() -> Console:
    """Standard output as rich writes to it."""
    return Console(highlight=False)


def width() -> int:
    """Characters that fit on a line."""
    return console().width


def lines(shown: Sequence[str]) -> None:
    """Print lines, the first as a heading; the terminal wraps them, so a command stays whole."""
    to = console()
    to.print(Text(shown[0], "bold"), soft_wrap=True)
    for line in shown[1:]:
        to.print(Text(line), soft_wrap=True)


def paint_attention(groups: Sequence[AttentionGroupRow]) -> None:
    """Print what needs attention, each with the command below it."""
    to = console()
    for line in _attention(groups):
        to.print(line, soft_wrap=True)


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
    yield from _attention(card.attention)
    yield Text()
    yield _joined(
        ("Journal verified", "bold"),
        (" ✓", "green"),
        (f"  {card.events:,} events, head {card.head[:16]}", "dim"),
        (f"   {card.seconds:.1f} s, nothing left this machine", "dim"),
    )
    yield Text()
    yield Text("Next", "bold")
    yield from (Text(f"  {command}", "cyan") for command in card.next)
    yield Text()


def _attention(groups: Sequence[AttentionGroupRow]) -> Iterator[Text]:
    wide = max((len(group.title) for group in groups), default=0)
    for group in groups:
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
