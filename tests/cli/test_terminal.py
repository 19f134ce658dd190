"""What a person sees: a bar or a line of progress, colours on a terminal, none where unwanted."""

import io
import os
import re
import subprocess
import sys

import pytest
from attrs import evolve
from rich.console import Console

from assetflow.cli.demo_view import DemoCard
from assetflow.cli.paint import paint_demo
from assetflow.cli.progress import progress
from assetflow.exchange.report import Progress

NOW = Progress(run_id="r", source="google", phase="read", seen=600, expected=1_019, applied=12)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_without_a_terminal_a_line_comes_every_ten_seconds(capsys):
    clock = Clock()
    with progress(clock=clock) as tell:
        tell(NOW)
        clock.now += 9
        tell(NOW)
        assert capsys.readouterr().err == ""
        clock.now += 1
        tell(NOW)
        tell(evolve(NOW, seen=700))
        clock.now += 10
        tell(evolve(NOW, seen=1_000, expected=None))
    seen = capsys.readouterr()
    assert seen.err.splitlines() == [
        "google: read, 600 of 1,019 read, 12 applied",
        "google: read, 1,000 read, 12 applied",
    ]
    assert seen.out == ""


@pytest.fixture
def card(made):
    return DemoCard.of(made[1], seconds=3.2, pasted=lambda command: command + " --profile demo")


def test_the_demo_fits_a_terminal_and_keeps_commands_whole(card):
    console = Console(record=True, width=92, file=io.StringIO(), highlight=False)
    paint_demo(card, on=console)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 92
    for group in card.attention:
        assert f"         {group.command}" in [line.rstrip() for line in lines]


def test_a_narrow_terminal_cuts_no_command(card):
    console = Console(record=True, width=40, file=io.StringIO(), highlight=False)
    paint_demo(card, on=console)
    text = console.export_text()
    assert all(group.command in text for group in card.attention)


def on_terminal(*args, cwd, **env):
    """What a command writes when its output is a terminal of 100 columns."""
    import pty

    parent, child = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "CI", "TERM"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "assetflow.cli", *args],
        cwd=cwd,
        env={**clean, "TERM": "xterm-256color", "COLUMNS": "100", **env},
        stdin=subprocess.DEVNULL,
        stdout=child,
        stderr=subprocess.PIPE,
    )
    os.close(child)
    written = b""
    while True:
        try:
            piece = os.read(parent, 65_536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(parent)
    err = process.communicate()[1]
    assert process.returncode == 0, err
    return written.decode()


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals")
def test_a_terminal_gets_colours_unless_it_wants_none(looking):
    args = ("attention", "--profile", "demo")
    coloured = on_terminal(*args, cwd=looking)
    assert "\x1b[36m" in coloured
    plain = on_terminal(*args, cwd=looking, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain)
    assert (
        re.sub(r"\x1b\[[0-9;]*m", "", coloured).split()
        == re.sub(r"\x1b\[[0-9;]*m", "", plain).split()
    )


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals")
def test_a_list_leaves_out_a_column_rather_than_cut_a_tag(looking):
    wide = on_terminal("devices", "list", "--limit", "3", "--profile", "demo", cwd=looking)
    narrow = on_terminal(
        "devices", "list", "--limit", "3", "--profile", "demo", cwd=looking, COLUMNS="60"
    )
    assert "updates end" in wide
    assert "updates end" not in narrow
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", x)) <= 60 for x in narrow.splitlines())
    assert "BES-010014" in narrow
