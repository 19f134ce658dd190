"""Draw what `assetflow demo` prints, as an SVG: `python examples/picture_of_the_demo.py demo.svg`."""

import io
import os
import re
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from attrs import evolve
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from assetflow.cli.demo_view import DemoCard
from assetflow.cli.paint import paint_demo
from assetflow.testing.demo import make_demo

CALM = TerminalTheme(
    (250, 250, 248),
    (38, 42, 46),
    [
        (38, 42, 46),
        (170, 50, 40),
        (46, 125, 50),
        (150, 100, 0),
        (30, 80, 140),
        (120, 60, 120),
        (20, 105, 120),
        (120, 125, 130),
    ],
)


def main(path: str) -> None:
    """Make the demo in a folder that goes away, and draw it."""
    target = Path(path).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        begun = time.perf_counter()
        report = make_demo("assetflow-demo", on=date(2026, 11, 24))
        seconds = time.perf_counter() - begun
        os.chdir(target.parent)
    card = DemoCard.of(report, seconds=seconds, pasted=lambda line: f"{line} --profile demo")
    # where this runs, Python may have another path than where the picture is looked at
    shown = [f"python{c[c.rindex(' ') :]}" if c.endswith(".py") else c for c in card.next]
    card = evolve(card, next=tuple(shown))
    console = Console(record=True, width=92, file=io.StringIO(), highlight=False)
    paint_demo(card, on=console)
    svg = console.export_svg(title="assetflow demo", theme=CALM, unique_id="demo")
    # a picture asks no other host for a font
    own = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    target.write_text(own, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1])
