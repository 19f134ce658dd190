"""Every `assetflow` command in README and docs runs, and prints what the page says that it prints.

Blocks marked ``console`` hold commands after ``$`` and what they print; ``...`` stands for
anything. Python blocks of the same pages run in `tests/house`; those of a page listed in
`WHOLE` run here too, between its commands, as a reader would.
"""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHOLE = ["docs/tutorials/first-district.md"]
FENCE = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(found[1], found[2]) for found in FENCE.finditer(text)]


def commands(text):
    """Pairs of a command and the lines that it prints."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found


def squeezed(text):
    return " ".join(text.split())


def matches(expected, printed):
    pattern = ".*".join(re.escape(squeezed(part)) for part in "\n".join(expected).split("..."))
    return re.fullmatch(pattern.replace(r"\ ", r"\s*"), squeezed(printed), re.DOTALL)


@pytest.mark.parametrize("page", WHOLE)
def test_the_page_can_be_followed_from_top_to_bottom(run, empty, monkeypatch, page):
    monkeypatch.setattr("assetflow.cli.program.program", lambda: "assetflow")
    space = {}
    ran = 0
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, page, "exec"), space)
            continue
        for command, expected in commands(text):
            words = shlex.split(command)
            if words[0] != "assetflow":
                continue
            done = run(*words[1:])
            ran += 1
            printed = done.out + done.err
            assert matches(expected, printed), f"$ {command}\n{printed}\n--- not ---\n{expected}"
    assert ran >= 8


def every_command():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for path in pages:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        if "/reference/" in f"/{name}":
            continue
        for block in re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for line in re.findall(r"^(?:\$ )?(assetflow [a-z][^\n]*)$", block, re.MULTILINE):
                yield name, line


@pytest.mark.parametrize(("page", "line"), sorted(set(every_command())))
def test_a_command_that_a_page_names_exists_with_its_options(page, line):
    import click

    from assetflow.cli.app import app

    words = shlex.split(line.split("||")[0].split(">")[0].split("|")[0].rstrip("\\ "))[1:]
    command, ctx = app, click.Context(app)
    while isinstance(command, click.Group) and words:
        command = command.get_command(ctx, words.pop(0))
        assert command is not None, line
    known = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)}
    assert {w.partition("=")[0] for w in words if w.startswith("-") and len(w) > 1} <= known, line
