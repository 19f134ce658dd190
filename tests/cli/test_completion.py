"""Completion in each shell, as the shell would ask for it."""

import shutil
import subprocess

import pytest
from click.shell_completion import ShellComplete

from assetflow.cli.app import app


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_the_script_is_for_this_program(run, shell):
    ran = run("completion", shell)
    assert ran.code == 0
    assert "assetflow" in ran.out
    assert "_ASSETFLOW_COMPLETE" in ran.out


def test_an_unknown_shell_is_a_usage_error(run):
    ran = run("completion", "tcsh")
    assert ran.code == 2
    assert "powershell" in ran.err


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ([], "che", {"check-out", "check-in"}),
        (["devices"], "", {"list", "show"}),
        (["devices", "list"], "--upd", {"--updates-end-before"}),
        (["completion"], "pow", {"powershell"}),
        (["check-out", "X", "--kind"], "", {"assignment", "loan"}),
    ],
)
def test_what_is_offered(words, incomplete, expected):
    found = ShellComplete(app, {}, "assetflow", "_ASSETFLOW_COMPLETE").get_completions(
        words, incomplete
    )
    assert {item.value for item in found} == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_takes_the_script(run):
    script = run("completion", "bash").out
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
