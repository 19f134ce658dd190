"""Connectors by name: ours are lazy, others come by entry point, a broken one stops no other."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from assetflow import connectors
from assetflow.connectors import GoogleAdmin, available_connectors, load_connector
from assetflow.errors import MissingExtra, PluginError


class Sound:
    """A connector of somebody else's."""


class TooNew:
    protocol_version = 99


def needs_more():
    raise MissingExtra("vendor", needs="vendor-sdk")


@pytest.fixture
def plugins(monkeypatch):
    """Entry points as other distributions would register them."""

    def install(**offered):
        entries = [
            EntryPoint(name=name.rstrip("_"), value=value, group=connectors.ENTRY_POINTS)
            for name, value in offered.items()
        ]
        monkeypatch.setattr(connectors, "_entries", lambda: entries)

    return install


@pytest.fixture
def here(monkeypatch):
    """This file as a module that an entry point can name."""
    module = type(sys)("a_plugin")
    module.Sound, module.TooNew, module.number = Sound, TooNew, 7
    monkeypatch.setitem(sys.modules, "a_plugin", module)


def test_ours_by_name():
    assert load_connector("google") is GoogleAdmin
    assert available_connectors() == {"google": GoogleAdmin}


def test_another_distributions_connector(plugins, here):
    plugins(sound="a_plugin:Sound")
    assert load_connector("sound") is Sound


def test_a_broken_one_is_told_of_and_stops_no_other(plugins, here):
    plugins(
        broken="no_such_module:X",
        missing="a_plugin:Nothing",
        number="a_plugin:number",
        sound="a_plugin:Sound",
        toonew="a_plugin:TooNew",
    )
    found = available_connectors()
    assert found["google"] is GoogleAdmin
    assert found["sound"] is Sound
    for name in ("broken", "missing", "number", "toonew"):
        assert isinstance(found[name], PluginError), name
        with pytest.raises(PluginError):
            load_connector(name)
    assert "version 99" in found["toonew"].message
    assert found["broken"].context["cause"] == "ModuleNotFoundError"


def test_two_that_offer_one_name_are_both_refused(plugins, here):
    plugins(sound="a_plugin:Sound", sound_="a_plugin:TooNew")
    with pytest.raises(PluginError, match="more than once"):
        load_connector("sound")


def test_our_names_cannot_be_taken(plugins, here):
    plugins(google="a_plugin:Sound")
    assert load_connector("google") is GoogleAdmin


def test_a_plugin_that_lacks_its_extra_says_so(plugins, monkeypatch):
    module = type(sys)("needs_extra")
    module.__getattr__ = lambda _name: needs_more()
    monkeypatch.setitem(sys.modules, "needs_extra", module)
    plugins(extra="needs_extra:Connector")
    with pytest.raises(MissingExtra):
        load_connector("extra")
    assert isinstance(available_connectors()["extra"], MissingExtra)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(PluginError) as caught:
        load_connector("gooogle")
    assert "google" in caught.value.hint


def test_exports_are_sorted_and_lazy():
    assert connectors.__all__ == sorted(connectors.__all__)
    assert set(connectors.__all__) <= set(dir(connectors))
    with pytest.raises(AttributeError):
        _ = connectors.Nothing
    code = (
        "import sys, assetflow.connectors\n"
        "assert 'assetflow.connectors.google' not in sys.modules\n"
        "from assetflow.connectors import GoogleAdmin\n"
        "print(sorted({'httpx', 'google.auth', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
