"""Where settings come from, in which order, and what is refused."""

import os

import pytest

from assetflow.cli import config
from assetflow.cli.config import load_settings
from assetflow.errors import ConfigError


@pytest.fixture
def user_file(monkeypatch, empty):
    path = empty / "home" / "config.toml"
    path.parent.mkdir()
    monkeypatch.setattr(config, "user_file", lambda: str(path))
    return path


def settings(given=None, environ=None, **kwargs):
    return load_settings(given or {}, environ=environ or {}, **kwargs)


def source_of(found, name):
    return next(s.source for s in found if s.name == name)


def test_an_option_goes_before_the_environment_before_the_folder_before_the_user(user_file, empty):
    user_file.write_text('store = "user.db"\nactor = "user"\ndistrict = "user"\n')
    (empty / "assetflow.toml").write_text('store = "folder.db"\nactor = "folder"\n')
    found = settings({"store": "option.db"}, {"ASSETFLOW_STORE": "env.db"})
    assert found.get("store") == "option.db"
    assert source_of(found, "store") == "option --store"
    assert settings({}, {"ASSETFLOW_STORE": "env.db"}).get("store") == "env.db"
    assert settings().get("store") == str(empty / "folder.db")
    assert settings().get("actor") == "folder"
    assert settings().get("district") == "user"
    assert source_of(settings(), "district") == str(user_file)
    assert source_of(settings(), "google.customer") == "default"


def test_a_relative_store_lies_beside_the_file_that_names_it(user_file):
    user_file.write_text('store = "fleet.db"\n')
    assert settings().get("store") == str(user_file.parent / "fleet.db")


@pytest.mark.parametrize("address", ["memory:", "postgresql://db/lincoln", "/srv/a.db"])
def test_an_address_stays_as_it_is(empty, address):
    (empty / "assetflow.toml").write_text(f'store = "{address}"\n')
    assert settings().get("store") == address


def test_a_profile_goes_before_the_rest_of_its_file(empty):
    text = 'store = "a.db"\nactor = "me"\n[profiles.test]\nstore = "b.db"\n'
    (empty / "assetflow.toml").write_text(text)
    found = settings(profile="test")
    assert found.get("store") == str(empty / "b.db")
    assert source_of(found, "store") == "assetflow.toml [profiles.test]"
    assert found.get("actor") == "me"


def test_a_profile_that_nobody_wrote_is_refused(empty):
    with pytest.raises(ConfigError, match="no file has the profile nosuch"):
        settings(profile="nosuch")


def test_the_profile_demo_is_the_demo_of_this_folder(empty):
    with pytest.raises(ConfigError, match="no demo here"):
        settings(profile="demo")
    (empty / "assetflow-demo").mkdir()
    (empty / "assetflow-demo" / "assetflow.toml").write_text('store = "x.db"\n')
    assert settings(profile="demo").get("store") == str(empty / "assetflow-demo" / "x.db")


def test_an_unknown_key_names_the_near_one(empty):
    (empty / "assetflow.toml").write_text('[google]\nsubjekt = "it@x.example"\n')
    with pytest.raises(ConfigError, match=r"unknown key google\.subjekt") as caught:
        settings()
    assert caught.value.hint == "Did you mean google.subject?"


def test_broken_toml_names_the_line(empty):
    (empty / "assetflow.toml").write_text("actor = 'me'\nstore = C:\\fleet.db\n")
    with pytest.raises(ConfigError, match=r"assetflow\.toml is not TOML at line 2"):
        settings()


@pytest.mark.parametrize("value", ["true", "[1]", "1.5"])
def test_a_value_that_is_not_text_is_refused(empty, value):
    (empty / "assetflow.toml").write_text(f"actor = {value}\n")
    with pytest.raises(ConfigError, match="actor in"):
        settings()


def test_a_file_that_was_named_must_be_there(empty):
    with pytest.raises(ConfigError, match=r"no file else\.toml"):
        settings(file="else.toml")


def test_config_show_gives_value_and_source_and_no_password(run, empty):
    (empty / "assetflow.toml").write_text('store = "postgresql://it:hunter2@db/lincoln"\n')
    ran = run("config", "show", "--json", ASSETFLOW_ACTOR="nightly")
    rows = {row["setting"]: row for row in ran.data}
    assert rows["store"]["value"] == "postgresql://it:***@db/lincoln"
    assert rows["store"]["source"] == "assetflow.toml"
    assert rows["actor"] == {
        "setting": "actor",
        "value": "nightly",
        "source": "environment ASSETFLOW_ACTOR",
    }
    assert "hunter2" not in ran.out + ran.err
    assert set(rows) == set(config.KEYS)


def test_config_show_gives_a_reference_as_it_was_written(run, empty):
    (empty / "assetflow.toml").write_text('store = "postgresql://it:${PGPASS}@db/lincoln"\n')
    ran = run("config", "show", "--json", PGPASS="hunter2")
    assert "hunter2" not in ran.out
    assert ran.code == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_file_that_others_may_write_may_not_name_a_command(empty):
    path = empty / "assetflow.toml"
    path.write_text('actor = "CMD:echo me"\n')
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="a command in a file that others may write"):
        settings().get("actor")
    path.chmod(0o644)
    assert settings().get("actor") == "me"
