"""Help texts: every command says what it does, in words that fit a terminal."""

import subprocess
import sys

import click
import pytest

from assetflow.cli.app import app


def commands(group=app, path=()):
    for name, command in group.commands.items():
        here = (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, here)
        yield here, command


EVERY = dict(commands())
REQUIRED = [
    "demo",
    "doctor",
    "init",
    "pull google",
    "import devices",
    "import people",
    "import roster",
    "devices list",
    "devices show",
    "check-out",
    "check-in",
    "transfer",
    "journal verify",
    "runs list",
    "runs show",
    "attention",
    "policy show",
    "policy adopt",
    "explain check-out",
    "config show",
    "completion",
]


def test_every_command_that_is_promised_is_there():
    assert set(REQUIRED) <= {" ".join(path) for path in EVERY}


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_reads_well(run, path):
    ran = run(*path, "--help")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.out.startswith(f"Usage: assetflow {' '.join(path)} ")
    assert max(len(line) for line in ran.out.splitlines()) <= 100
    first = (EVERY[path].help or "").split("\n\n")[0]
    assert first.strip().endswith("."), "the first paragraph is a sentence"
    assert len(first.strip()) <= 66, "the list of commands would cut it"


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_option_says_what_it_is(path):
    for param in EVERY[path].params:
        if isinstance(param, click.Option):
            assert param.help, param.opts
            assert param.help.endswith("."), param.opts


def test_the_first_page_names_each_command_uncut(run):
    ran = run("--help")
    assert ran.code == 0
    assert "..." not in ran.out.split("Commands:")[1]
    for name in app.commands:
        assert f"\n  {name} " in ran.out


def test_shared_options_stand_apart(run):
    ran = run("devices", "list", "--help")
    own, _, shared = ran.out.partition("Options of every command:")
    assert "--lifecycle" in own
    assert "--lifecycle" not in shared
    assert "--json" in shared
    assert "--json" not in own


def test_the_version(run):
    assert run("--version").out.startswith("assetflow ")


def test_an_unknown_command_is_a_usage_error(run):
    ran = run("device")
    assert ran.code == 2
    assert "No such command 'device'" in ran.err
    assert ran.out == ""


def test_two_forms_at_once_are_a_usage_error(run):
    ran = run("config", "show", "--json", "--csv")
    assert ran.code == 2
    assert "exclude one another" in ran.err


def test_the_help_needs_no_room_of_the_library():
    code = """
        import sys
        from assetflow.cli.app import app
        rooms = {n.split(".")[1] for n in sys.modules if n.startswith("assetflow.")}
        print(*sorted(rooms))
        print(*sorted(m for m in ("httpx", "sqlalchemy", "rich", "cattrs") if m in sys.modules))
    """
    import textwrap

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    rooms, heavy = done.stdout.splitlines()
    assert rooms == "cli errors"
    assert heavy == ""


def test_without_the_extra_the_first_line_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['click'] = None\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "del sys.modules['click']\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from assetflow.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert 'pip install "assetflow-k12[cli]"' in done.stderr
    assert done.stdout == ""


def test_a_command_is_at_most_fifteen_lines_over_the_library():
    import ast
    from pathlib import Path

    import assetflow.cli

    long = {}
    for path in Path(assetflow.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or not any(
                "command(" in ast.unparse(d) for d in node.decorator_list
            ):
                continue
            first = 1 if ast.get_docstring(node) else 0
            body = [n for n in node.body[first:] if not isinstance(n, ast.ImportFrom)]
            lines = sum(n.end_lineno - n.lineno + 1 for n in body)
            if lines > 15:
                long[node.name] = lines
    assert long == {}
