"""The demo: no account, no network, twice without harm, and gone again when it is cleaned."""

import html
import json
import os
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from assetflow.errors import FileRefused, InvalidValue
from assetflow.testing.demo import DEMO_FILES, clean_demo, make_demo
from assetflow.workflows.attention import attention_groups

ROOT = Path(__file__).resolve().parents[2]


def test_it_makes_the_district_that_it_promises(made):
    _, report = made
    assert report.devices == 1_200
    assert report.people == 1_000
    assert report.pull.complete
    assert report.pull.run.seen == 1_019
    assert report.inventory.rejected == 9
    assert report.handed_out == 207
    assert report.changed
    assert not report.again
    kinds = {item.kind for item in report.attention}
    assert {"overdue-loan", "leaver-holds", "disagreement", "unmatched-record"} <= kinds
    assert sum(item.kind == "overdue-loan" for item in report.attention) == 17
    assert sum(item.kind == "leaver-holds" for item in report.attention) == 5


def test_again_it_changes_nothing(here, made, day):
    first = made[1]
    again = make_demo("assetflow-demo", on=day)
    assert again.again
    assert not again.changed
    assert again.handed_out == 0
    assert (again.events, again.head) == (first.events, first.head)
    assert again.pull.run.unchanged == again.pull.run.seen - 6, "six wait for a person"
    assert len(again.attention) == len(first.attention)


def test_one_that_was_killed_is_finished(here, made, day):
    folder = here / "assetflow-demo"
    mark = json.loads((folder / "demo.json").read_text())
    (folder / "demo.json").write_text(json.dumps(mark | {"opened": False}))
    report = make_demo(folder, on=day)
    assert report.devices == 1_200
    assert report.held == made[1].held


def test_a_later_day_keeps_the_district_and_moves_the_ages(here, day):
    report = make_demo("assetflow-demo")
    assert report.day == day
    assert not report.changed


def test_a_folder_with_something_else_in_it_is_left_alone(empty):
    (empty / "assetflow-demo").mkdir()
    (empty / "assetflow-demo" / "thesis.odt").write_text("mine")
    with pytest.raises(FileRefused, match="no demo made"):
        make_demo("assetflow-demo")
    with pytest.raises(FileRefused, match="no demo made"):
        clean_demo("assetflow-demo")
    assert [p.name for p in (empty / "assetflow-demo").iterdir()] == ["thesis.odt"]


def test_a_day_in_the_future_is_refused(empty, day):
    with pytest.raises(InvalidValue, match="in the future"):
        make_demo("assetflow-demo", on=day.replace(year=2999))
    assert list(empty.iterdir()) == []


def test_cleaning_removes_what_the_demo_made_and_nothing_else(here):
    (here / "assetflow-demo" / "mine.txt").write_text("mine")
    removed, left = clean_demo("assetflow-demo")
    assert left == ["mine.txt"]
    assert set(removed) <= set(DEMO_FILES)
    assert [p.name for p in (here / "assetflow-demo").iterdir()] == ["mine.txt"]


def test_cleaning_removes_the_folder_when_it_is_empty(here, run):
    ran = run("demo", "--clean", "--json")
    assert ran.code == 0
    assert "maple-valley.db" in ran.data["removed"]
    assert ran.data["left"] == []
    assert list(here.iterdir()) == []
    assert run("demo", "--clean").out == "There is no demo here.\n"


def test_every_file_that_it_makes_is_one_that_it_would_clean(made):
    assert {p.name for p in (made[0] / "assetflow-demo").iterdir()} <= set(DEMO_FILES)


def test_nothing_beyond_loopback_is_reached(here, monkeypatch, day):
    reached = []
    connect = socket.socket.connect

    def watched(self, address):
        reached.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    make_demo("assetflow-demo", on=day)
    hosts = {address[0] for address in reached if isinstance(address, tuple)}
    assert hosts == {"127.0.0.1"}


@pytest.fixture
def told(again, monkeypatch):
    monkeypatch.chdir(again[0])
    return again[1]


def test_json_is_one_document(told):
    assert told.code == 0
    assert told.err == ""
    assert told.document["kind"] == "demo"
    assert told.data["devices"] == 1_200
    assert told.data["changed"] is False
    assert [step["name"] for step in told.data["steps"]] == [
        "roster",
        "inventory",
        "hand-out",
        "Google",
    ]
    assert {step["result"].partition(",")[0] for step in told.data["steps"]} == {"unchanged"}


def test_it_is_as_its_schema_says(told, fits):
    from assetflow.cli.schemas import SCHEMAS

    assert fits(told.document, SCHEMAS["demo"]) == []


def test_every_command_that_it_prints_works_when_it_is_pasted(told, run):
    printed = [group["command"] for group in told.data["attention"]] + told.data["next"]
    assert len(printed) >= 10
    for command in printed:
        words = shlex.split(command)
        if words[-1].endswith(".py"):
            assert subprocess.run(words, capture_output=True, check=False).returncode == 0
            continue
        words = words[words.index("assetflow.cli") + 1 :] if "-m" in words else words[1:]
        ran = run(*words)
        assert ran.code == 0, (command, ran.err)
        assert ran.out


def test_for_a_person_it_is_plain_text_in_a_pipe(here, run, day):
    ran = run("demo", "--on", day.isoformat())
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "Needs attention today" in ran.out
    assert "Journal verified: " in ran.out
    assert max(len(line) for line in ran.out.splitlines() if "assetflow" not in line) <= 100


def program(*args, cwd, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ASSETFLOW_")}
    return subprocess.run(
        [sys.executable, "-m", "assetflow.cli", *args],
        cwd=cwd,
        env={**clean, **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_a_real_process_in_a_folder_with_spaces_and_umlauts(here):
    done = program("demo", "--json", cwd=here, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["changed"] is False
    assert done.stderr == ""


def test_the_first_script_runs_where_the_demo_says(here):
    done = subprocess.run(
        [sys.executable, "assetflow-demo/first_script.py"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "devices get no updates after June 2027" in done.stdout
    assert "nothing was written" in done.stdout


def test_the_first_script_is_the_one_that_readme_and_examples_show():
    shown = (ROOT / "examples" / "first_script.py").read_text(encoding="utf-8")
    packed = (ROOT / "src/assetflow/testing/first_script.txt").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert packed == shown
    code = shown.partition('"""\n\n')[2]
    assert f"```python\n{code}```" in readme
    assert len(code.splitlines()) <= 17


def test_the_picture_in_the_readme_shows_what_the_demo_finds(made):
    svg = (ROOT / "docs" / "assets" / "demo.svg").read_text(encoding="utf-8")
    shown = html.unescape(" ".join(re.findall(r">([^<]+)</text>", svg))).replace("\xa0", " ")
    assert "https://" not in re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    for group in attention_groups(made[1].attention):
        assert group.title in shown
        assert f"attention --kind {group.kind} --profile demo" in shown
        assert group.money is None or str(group.money) in shown
    assert f"{made[1].events:,} events" in shown


def test_no_name_of_a_person_is_in_the_journal(made):
    with closing(sqlite3.connect(made[0] / "assetflow-demo" / "maple-valley.db")) as db, db:
        bodies = "\n".join(row[0] for row in db.execute("SELECT body FROM af_event"))
    assert "device.checked_out@1" in bodies
    for name in ("Maple Valley ISD",):
        assert name in bodies
    for name in ("Marlowick", "Elderflower", "maplevalley.example", "Hollowell"):
        assert name not in bodies
