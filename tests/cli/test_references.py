"""Secrets by reference: each kind, and what happens when it leads nowhere."""

import os
import sys
import types

import pytest

from assetflow.cli.references import resolve
from assetflow.errors import ConfigError, MissingExtra


def test_text_without_a_reference_is_itself():
    assert resolve("C:/fleet.db", name="store", trusted=True) == "C:/fleet.db"


def test_a_variable_stands_anywhere_in_the_text(monkeypatch):
    monkeypatch.setenv("PGPASS", "s3cret")
    assert resolve("pg://it:${PGPASS}@db", name="store", trusted=True) == "pg://it:s3cret@db"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("PGPASS", raising=False)
    with pytest.raises(ConfigError, match="the variable PGPASS, which is not set"):
        resolve("${PGPASS}", name="store", trusted=True)


def test_a_file_gives_its_text_without_the_last_line_break(tmp_path):
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    assert resolve(f"FILE:{path}", name="actor", trusted=True) == "s3cret"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve(f"FILE:{tmp_path / 'none'}", name="actor", trusted=True)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path, mode):
    path = tmp_path / "token"
    path.write_text("s3cret")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="open to other users") as caught:
        resolve(f"FILE:{path}", name="actor", trusted=True)
    assert "chmod 600" in caught.value.hint


def test_a_command_gives_what_it_prints(tmp_path):
    script = tmp_path / "ask.py"
    script.write_text("print('s3cret')")
    line = f"CMD:'{sys.executable}' '{script}'"
    assert resolve(line, name="actor", trusted=True) == "s3cret"


@pytest.mark.parametrize("code", ["import sys; print('s3cret'); sys.exit(2)", "pass"])
def test_a_command_that_fails_or_says_nothing_is_an_error_without_its_output(code):
    with pytest.raises(ConfigError) as caught:
        resolve(f"CMD:'{sys.executable}' -c \"{code}\"", name="actor", trusted=True)
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_a_command_that_is_not_there():
    with pytest.raises(ConfigError, match="did not run: FileNotFoundError"):
        resolve("CMD:no-such-program-here", name="actor", trusted=True)


def keyring(monkeypatch, **functions):
    module = types.ModuleType("keyring")
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, "keyring", module)


def test_a_keyring_gives_its_entry(monkeypatch):
    keyring(monkeypatch, get_password=lambda service, user: f"{service}+{user}")
    assert resolve("KEYRING:assetflow/it", name="actor", trusted=True) == "assetflow+it"


def test_a_keyring_without_the_entry(monkeypatch):
    keyring(monkeypatch, get_password=lambda *_: None)
    with pytest.raises(ConfigError, match="no entry") as caught:
        resolve("KEYRING:assetflow/it", name="actor", trusted=True)
    assert caught.value.hint == "Store it: keyring set assetflow it"


def test_a_job_without_a_desktop_gets_a_clear_error(monkeypatch):
    def get_password(*_):
        raise RuntimeError("no backend: s3cret path")

    keyring(monkeypatch, get_password=get_password)
    with pytest.raises(ConfigError, match="did not answer: RuntimeError") as caught:
        resolve("KEYRING:assetflow/it", name="actor", trusted=True)
    assert "s3cret" not in str(caught.value)


def test_without_the_extra_a_keyring_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingExtra) as caught:
        resolve("KEYRING:a/b", name="actor", trusted=True)
    assert caught.value.hint == 'Run: pip install "assetflow-k12[keyring]"'
