"""What the demo tells: calm on a terminal, plain in a pipe, whole in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Self

from attrs import frozen

from assetflow.cli.notices import group_rows
from assetflow.cli.program import python
from assetflow.cli.shapes import AttentionGroupRow

if TYPE_CHECKING:
    from assetflow.cli.shown import Output
    from assetflow.exchange.imports import ImportReport
    from assetflow.testing.demo import DemoReport

__all__ = ["CleanedCard", "DemoCard", "Step", "cleaned", "demo_lines", "tell_demo"]


@frozen(kw_only=True)
class Step:
    """Something that the demo did."""

    name: str
    """What: ``roster``, ``inventory``, ``google``, ``hand-out``."""
    source: str
    """From where."""
    count: int
    """How many are there."""
    what: str
    """Of what."""
    result: str
    """What came of it."""


@frozen(kw_only=True)
class DemoCard:
    """What ``assetflow demo`` did."""

    district: str
    """The district's name. It is made up."""
    seed: int
    """The number that it grew from."""
    day: date
    """The day on which it was made up to live."""
    folder: str
    """Where it is."""
    again: bool
    """Whether it was there already."""
    changed: bool
    """Whether anything was written."""
    seconds: float
    """How long it took."""
    devices: int
    """Devices in all."""
    people: int
    """People in all."""
    steps: tuple[Step, ...]
    """What was done."""
    attention: tuple[AttentionGroupRow, ...]
    """What needs a person, each with the command that shows more."""
    events: int
    """Events in the journal, which was verified."""
    head: str
    """Hash of the newest one."""
    next: tuple[str, ...]
    """Commands to go on with."""

    @classmethod
    def of(cls, report: DemoReport, *, seconds: float, pasted: Callable[[str], str]) -> Self:
        """A report's card.

        Args:
            report: The report.
            seconds: How long it took.
            pasted: Makes a command one that works when it is pasted.
        """
        groups = group_rows(report.attention, pasted)
        return cls(
            district=report.district,
            seed=report.seed,
            day=report.day,
            folder=report.folder,
            again=report.again,
            changed=report.changed,
            seconds=round(seconds, 1),
            devices=report.devices,
            people=report.people,
            steps=tuple(_steps(report)),
            attention=tuple(groups),
            events=report.events,
            head=report.head,
            next=tuple(_next(report, pasted)),
        )


@frozen(kw_only=True)
class CleanedCard:
    """What ``assetflow demo --clean`` did."""

    folder: str
    """The demo's folder."""
    removed: tuple[str, ...]
    """Files that were removed."""
    left: tuple[str, ...]
    """Files that the demo did not make; they are there still."""


def _steps(report: DemoReport) -> Iterator[Step]:
    run, taken = report.pull.run, report.inventory
    out = f"{report.handed_out:,} handed out" if report.handed_out else "unchanged"
    moved = ((run.linked, "matched"), (run.created, "new"), (run.changed, "changed"))
    told = ", ".join(f"{count:,} {word}" for count, word in moved if count)
    rows = (
        ("roster", "roster.zip", report.people, "people", _roster(report)),
        (
            "inventory",
            "inventory.csv",
            taken.created + taken.changed + taken.unchanged,
            "devices",
            _came_of(taken),
        ),
        ("hand-out", "since August", report.held, "devices out", out),
        (
            "Google",
            report.address.removeprefix("http://"),
            run.seen,
            "Chromebooks",
            told or "unchanged",
        ),
    )
    for name, source, count, what, result in rows:
        yield Step(name=name, source=source, count=count, what=what, result=result)


def _roster(report: DemoReport) -> str:
    since = _came_of(report.roster)
    if report.opening is None or report.opening.again:
        return since
    return f"new in August, {since} since"


def _came_of(done: ImportReport) -> str:
    moved = ((done.created, "new"), (done.changed, "changed")) if not done.again else ()
    told = ", ".join(f"{count:,} {word}" for count, word in moved if count) or "unchanged"
    return told + (f", {done.rejected:,} rejected: rejected.csv" if done.rejected else "")


def _next(report: DemoReport, pasted: Callable[[str], str]) -> Iterator[str]:
    late = next((i for i in report.attention if i.kind == "overdue-loan"), None)
    if late is not None:
        yield pasted(f"assetflow devices show {late.label}")
        yield pasted(f"{late.command} --dry-run")
    yield pasted("assetflow devices list --site CMS --limit 5")
    yield pasted("assetflow journal verify")
    yield f"{python()} {report.folder}/first_script.py"
    yield pasted("assetflow demo --clean").partition(" --profile")[0]


# --- telling -----------------------------------------------------------------------------------


def tell_demo(out: Output, card: DemoCard) -> None:
    """Write the card."""
    if out.rich:
        from assetflow.cli.paint import paint_demo  # noqa: PLC0415  # rich is only for terminals

        paint_demo(card)
    else:
        out.single("demo", card, lines=demo_lines(card))


def demo_lines(card: DemoCard) -> list[str]:
    """The card as plain lines."""
    return list(_lines(card))


def _lines(card: DemoCard) -> Iterator[str]:
    yield f"{card.district} (made up, seed {card.seed}) in ./{card.folder}   {card.seconds:.1f} s, nothing left this machine"
    yield from (f"  {line}" for line in step_lines(card))
    yield ""
    yield "Needs attention today" if card.attention else "Nothing needs attention today."
    for group in card.attention:
        yield f"  {group.count:>5,}  {sentence(group)}"
        yield f"         {group.command}"
    yield ""
    yield f"Journal verified: {card.events:,} events, head {card.head[:16]}"
    yield ""
    yield "Next"
    yield from (f"  {command}" for command in card.next)


def step_lines(card: DemoCard) -> list[str]:
    """What was done, a line each, lined up."""
    cells = [(s.name, s.source, f"{s.count:,}", s.what, s.result) for s in card.steps]
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    return [
        f"{name:<{widths[0]}}   {source:<{widths[1]}}   {count:>{widths[2]}} {what:<{widths[3]}}   {result}"
        for name, source, count, what, result in cells
    ]


def sentence(group: AttentionGroupRow) -> str:
    """A group in words: what, how old, how much money."""
    parts = [group.title]
    if group.oldest_days is not None and group.oldest_days > 0:
        parts.append(f"oldest {group.oldest_days:,} days")
    if group.money is not None:
        parts.append(str(group.money))
    return ", ".join(parts)


def cleaned(out: Output, folder: str, removed: list[str], left: list[str]) -> None:
    """Write what was removed."""
    card = CleanedCard(folder=folder, removed=tuple(removed), left=tuple(left))
    if not removed:
        lines = ["There is no demo here."]
    elif left:
        lines = [f"Removed {len(removed)} files. Not the demo's, so left: {', '.join(left)}"]
    else:
        lines = [f"Removed ./{folder}."]
    out.single("demo.clean", card, lines=lines)
