"""One made-up district for all tests of the command line, and a way to call it."""

import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from assetflow.cli.app import app
from assetflow.testing.demo import make_demo

DAY = date(2026, 11, 24)
ODD = "Büro Süd & «Ost» 1"


class Ran(NamedTuple):
    """What a command wrote, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """Standard output as one JSON document."""
        return json.loads(self.out)

    @property
    def data(self):
        return self.document["data"]


@pytest.fixture
def run(monkeypatch):
    """Call the command line in this process: ``run("devices", "list", "--json")``."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*args: str, stdin: str | None = None, **env: str) -> Ran:
        done = CliRunner().invoke(
            app, [str(a) for a in args], input=stdin, env=env, prog_name="assetflow"
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder in which the demo was made, once; not to be written to."""
    home = tmp_path_factory.mktemp("demo") / ODD
    home.mkdir()
    before = Path.cwd()
    os.chdir(home)
    try:
        report = make_demo("assetflow-demo", on=DAY)
    finally:
        os.chdir(before)
    return home, report


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A folder with a demo of its own, to do with as one likes; it is the current folder."""
    home = tmp_path / ODD
    shutil.copytree(made[0], home)
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def looking(made, monkeypatch):
    """The folder of the shared demo as the current folder, for tests that only read."""
    monkeypatch.chdir(made[0])
    return made[0]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
