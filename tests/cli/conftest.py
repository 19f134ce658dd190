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


@pytest.fixture(scope="session")
def again(made, tmp_path_factory):
    """What ``assetflow demo --json`` says where it was made before, and the folder."""
    home = tmp_path_factory.mktemp("again") / ODD
    shutil.copytree(made[0], home)
    before = Path.cwd()
    os.chdir(home)
    try:
        args = ["demo", "--json", "--on", DAY.isoformat()]
        done = CliRunner().invoke(app, args, prog_name="assetflow")
    finally:
        os.chdir(before)
    return home, Ran(done.exit_code, done.stdout, done.stderr)


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


@pytest.fixture
def day():
    """The day on which the made-up district lives."""
    return DAY


@pytest.fixture
def fits():
    """What of a value does not fit a schema; nothing when all does."""
    return _wrong


def _wrong(value, schema, where="$"):
    """What is wrong with a value; the few words of JSON Schema that the schemas use."""
    if "const" in schema:
        return [] if value == schema["const"] else [f"{where}: {value!r}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r}"]
    if "anyOf" in schema:
        tried = [_wrong(value, s, where) for s in schema["anyOf"]]
        return [] if any(not t for t in tried) else [f"{where}: none of {len(tried)}"]
    types = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    is_number = schema["type"] in {"integer", "number"}
    if not isinstance(value, types[schema["type"]]) or (is_number and isinstance(value, bool)):
        return [f"{where}: {type(value).__name__}, not {schema['type']}"]
    wrong = []
    if schema["type"] == "object" and "properties" in schema:
        wrong += [f"{where}: no {name}" for name in schema["required"] if name not in value]
        wrong += [f"{where}: {name}?" for name in value if name not in schema["properties"]]
        for name, inner in schema["properties"].items():
            wrong += _wrong(value[name], inner, f"{where}.{name}") if name in value else []
    if schema["type"] == "array":
        for i, item in enumerate(value):
            wrong += _wrong(item, schema["items"], f"{where}[{i}]")
    return wrong
