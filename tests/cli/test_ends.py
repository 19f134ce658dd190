"""How a command ends when something goes wrong, and what it never says."""

import json
import logging
import os
import subprocess
import sys

import pytest

from assetflow import errors
from assetflow.testing.google import FakeGoogle, Fleet
from assetflow.testing.seed import seed_district
from assetflow.testing.seed_files import google_devices, google_org_units, google_users

NAMES = ("Marlowick", "Elderflower", "Hollowell", "Bramblewood", "maplevalley.example", "240039")


@pytest.fixture(autouse=True)
def _quiet_again():
    """Take off the log handler that `-v` put on."""
    yield
    logger = logging.getLogger("assetflow")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def raising(monkeypatch, error):
    import assetflow

    def opened(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(assetflow, "open", opened)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StoreLocked("busy"), 5),
        (errors.SchemaTooNew("new"), 3),
        (errors.StoreFull("full"), 3),
        (errors.StaleVersion("stale"), 7),
        (KeyboardInterrupt(), 130),
        (ArithmeticError(), 1),
    ],
)
def test_what_is_raised_is_an_exit_code(run, monkeypatch, error, code):
    raising(monkeypatch, error)
    ran = run("devices", "list", "--store", "x.db")
    assert ran.code == code
    assert ran.out == ""


def test_something_unexpected_shows_no_value_that_was_in_it(run, monkeypatch):
    raising(monkeypatch, RuntimeError("Bea Marlowick, 240039"))
    ran = run("devices", "list", "--store", "x.db")
    assert ran.code == 1
    assert "RuntimeError" in ran.err
    assert "Marlowick" not in ran.err
    with pytest.raises(RuntimeError):
        run("devices", "list", "--store", "x.db", "-vv")


def test_with_json_an_error_is_a_document_on_standard_error(run, monkeypatch, fits):
    from assetflow.cli.schemas import SCHEMAS

    raising(monkeypatch, errors.StoreLocked("another process holds the lock", seconds=30))
    ran = run("devices", "list", "--store", "x.db", "--json")
    told = json.loads(ran.err)
    assert fits(told, SCHEMAS["error"]) == []
    assert told["data"]["context"] == {"seconds": 30}


def test_hints_speak_of_options(run, monkeypatch):
    raising(monkeypatch, errors.ChangeGuardTripped("x", hint="Pull with max_change_percent=12."))
    ran = run("devices", "list", "--store", "x.db")
    assert "do     Pull with --max-change-percent 12." in ran.err


def shell(*args, cwd, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "assetflow.cli", *args],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_reader_that_has_enough_is_no_error(looking):
    with shell("devices", "list", "--profile", "demo", "--ndjson", cwd=looking) as process:
        assert json.loads(process.stdout.readline())["asset_tag"]
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 0
    assert err == b""


def test_an_encoding_without_the_letters_of_a_name_loses_no_line(here):
    with shell("devices", "show", "WES-015096", "--profile", "demo", cwd=here) as process:
        whole = process.communicate()[0].decode()
    args = ("devices", "show", "WES-015096", "--profile", "demo")
    with shell(*args, cwd=here, PYTHONIOENCODING="ascii") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert len(out.decode("ascii").splitlines()) == len(whole.splitlines())


def test_verbose_logs_go_to_standard_error_and_hold_no_personal_data(run, here):
    made = seed_district()
    fleet = Fleet.of(
        devices=google_devices(made), org_units=google_org_units(made), users=google_users(made)
    )
    with FakeGoogle(fleet=fleet) as fake:
        ran = run(
            "pull",
            "google",
            "-vv",
            "--log-json",
            "--profile",
            "demo",
            "--json",
            ASSETFLOW_GOOGLE_BASE_URL=fake.url,
        )
    assert ran.code == 0, ran.err
    assert ran.data["status"] == "complete"
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert lines, "-vv logs something"
    assert all(line["logger"].startswith("assetflow") for line in lines)
    assert not [name for name in NAMES if name in ran.err]


def test_no_command_says_a_name_on_standard_error(run, here):
    commands = [
        ("check-in", "WES-015096"),
        ("check-in", "WES-015096"),
        ("check-out", "WES-015096", "--to", "240039"),
        ("check-out", "WES-015096", "--to", "240039"),
        ("transfer", "WES-015096", "--to", "nobody@maplevalley.example"),
        ("devices", "show", "WES-015096"),
        ("import", "devices", "assetflow-demo/inventory.csv", "--dry-run"),
        ("import", "roster", "assetflow-demo/roster.zip"),
    ]
    told = "".join(run(*command, "--profile", "demo").err for command in commands)
    assert told
    assert not [name for name in NAMES if name in told]
