"""Settings of the command line, and where each of them comes from.

An option wins over ``ASSETFLOW_...`` in the environment, that over ``./assetflow.toml``, that
over the user's own file. A profile, ``[profiles.NAME]`` in either file, goes before the rest of
its file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from assetflow.cli.references import resolve
from assetflow.errors import ConfigError

__all__ = ["FILE_NAME", "KEYS", "Key", "Setting", "Settings", "load_settings", "user_file"]

FILE_NAME = "assetflow.toml"
DEMO_FOLDER = "assetflow-demo"


@frozen(kw_only=True)
class Key:
    """A setting that can be made."""

    meaning: str
    """What it is."""
    default: str | None = None
    """What holds when nobody says."""


KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "store": Key(meaning="Path of an SQLite file, or the address of a database."),
        "district": Key(meaning="Id of the district; not needed while the store holds one."),
        "actor": Key(meaning="Who acts, for the journal; else your login name."),
        "google.key_file": Key(meaning="The service account's key, a JSON file."),
        "google.service_account": Key(meaning="Its address instead, for sign-in without a key."),
        "google.subject": Key(meaning="Address of the admin that it acts for."),
        "google.customer": Key(meaning="Google's id of the customer.", default="my_customer"),
        "google.scopes": Key(meaning="Scopes, if others than for reading were granted."),
        "google.base_url": Key(meaning="Another address than Google's, such as a fake's."),
        "pull.workers": Key(meaning="Listings read at once.", default="4"),
        "seal.key": Key(meaning="Signs seals of the journal, and checks them; a reference."),
    }
)
"""Every setting, by name. ``google.subject`` is ``subject`` under ``[google]`` in a file, and
``ASSETFLOW_GOOGLE_SUBJECT`` in the environment."""

_PATHS = ("store", "google.key_file")


@frozen(kw_only=True)
class Setting:
    """A setting as it stands."""

    name: str
    """Its name."""
    value: str | None
    """As it was written: a reference to a secret is not resolved."""
    source: str
    """Who says so."""
    folder: str | None = field(default=None, repr=False)
    """The folder of the file that says so; its relative paths begin there."""
    trusted: bool = field(default=True, repr=False)
    """Whether it may name a command to run."""

    @property
    def shown(self) -> str:
        """The value as it may be shown: a reference to a secret as it was written, no password."""
        return "" if self.value is None else _without_password(self.value)


class Settings:
    """All settings, each from the first that says something."""

    def __init__(self, found: Mapping[str, Setting]) -> None:
        self._found = found

    def __iter__(self) -> Iterator[Setting]:
        return iter(self._found[name] for name in KEYS)

    def get(self, name: str) -> str | None:
        """The value, with references to secrets resolved and paths made whole.

        Raises:
            ConfigError: a reference leads nowhere.
        """
        setting = self._found[name]
        if setting.value is None:
            return None
        value = resolve(setting.value, name=name, trusted=setting.trusted)
        if name in _PATHS and setting.folder and _is_relative(value):
            return str(Path(setting.folder, value))
        return value

    def need(self, name: str, *, hint: str) -> str:
        """The value of a setting that must be there.

        Raises:
            ConfigError: nobody made it.
        """
        value = self.get(name)
        if not value:
            msg = f"no {name} is set"
            raise ConfigError(msg, hint=hint, setting=name)
        return value


def user_file() -> str:
    """The path of the user's own file, whether it is there or not."""
    from platformdirs import user_config_dir  # noqa: PLC0415  # only where it is asked for

    return str(Path(user_config_dir("assetflow", appauthor=False), "config.toml"))


def load_settings(
    given: Mapping[str, str | None],
    *,
    environ: Mapping[str, str],
    profile: str | None = None,
    file: str | None = None,
) -> Settings:
    """Read all settings.

    Args:
        given: Options of the command, by setting.
        environ: The environment.
        profile: A profile of the files; ``demo`` is the folder that ``assetflow demo`` makes.
        file: Instead of ``./assetflow.toml``.

    Raises:
        ConfigError: a file that is not TOML, an unknown key, a profile that is in no file.
    """
    local = file or FILE_NAME
    if profile == "demo" and file is None and not _has_profile(local, profile):
        local, profile = f"{DEMO_FOLDER}/{FILE_NAME}", None
        if not Path(local).exists():
            raise ConfigError("there is no demo here", hint="Make it: assetflow demo")
    layers = [_options(given), _environment(environ)]
    profiles: set[str] = set()
    for path, must in ((local, file is not None), (user_file(), False)):
        layers += _file(path, profile, profiles, must=must)
    if profile is not None and profile not in profiles:
        msg = f"no file has the profile {profile}"
        raise ConfigError(msg, hint=f"Write a section [profiles.{profile}] in {FILE_NAME}.")
    layers.append(
        {n: Setting(name=n, value=key.default, source="default") for n, key in KEYS.items()}
    )
    return Settings({n: next(layer[n] for layer in layers if n in layer) for n in KEYS})


def _options(given: Mapping[str, str | None]) -> dict[str, Setting]:
    return {
        n: Setting(name=n, value=v, source=f"option --{n.replace('.', '-').replace('_', '-')}")
        for n, v in given.items()
        if v is not None
    }


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return "ASSETFLOW_" + name.replace(".", "_").upper()


def _environment(environ: Mapping[str, str]) -> dict[str, Setting]:
    found = {}
    for name in KEYS:
        value = environ.get(variable(name))
        if value:
            found[name] = Setting(name=name, value=value, source=f"environment {variable(name)}")
    return found


def _has_profile(path: str, profile: str) -> bool:
    if not Path(path).exists():
        return False
    return profile in _read(path).get("profiles", {})


def _file(
    path: str, profile: str | None, profiles: set[str], *, must: bool
) -> list[dict[str, Setting]]:
    if not Path(path).exists():
        if must:
            msg = f"there is no file {path}"
            raise ConfigError(msg, hint="Check the path after --config.")
        return []
    tables = _read(path)
    sections = tables.pop("profiles", {})
    profiles |= set(sections)
    layers = []
    if profile in sections:
        layers.append(_flat(sections[profile], path, f"{path} [profiles.{profile}]"))
    layers.append(_flat(tables, path, path))
    return layers


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ConfigError(msg, hint="Check its permissions.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = re.search(r"line (\d+)", str(error))
        at = f" at line {where[1]}" if where else ""
        msg = f"{path} is not TOML{at}"
        raise ConfigError(
            msg, hint='Text stands in quotes: store = "lincoln.db". On Windows use / or two \\.'
        ) from None


def _flat(tables: Mapping[str, Any], path: str, source: str) -> dict[str, Setting]:
    folder, trusted = str(Path(path).resolve().parent), _is_mine(path)
    found = {}
    for name, value in _leaves(tables):
        if name not in KEYS:
            near = get_close_matches(name, KEYS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(KEYS)}."
            raise ConfigError(f"{path} has an unknown key {name}", hint=hint)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ConfigError(f"{name} in {path} is not text", hint=f'Write {name} = "...".')
        found[name] = Setting(
            name=name, value=str(value), source=source, folder=folder, trusted=trusted
        )
    return found


def _leaves(tables: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _is_mine(path: str) -> bool:
    """Whether nobody but this user and root can have written a file."""
    if os.name == "nt":
        return True
    seen = Path(path).stat()
    return seen.st_uid in {0, os.getuid()} and not seen.st_mode & 0o022


def _is_relative(value: str) -> bool:
    return "://" not in value and value != "memory:" and not Path(value).is_absolute()


def _without_password(value: str) -> str:
    """A database address without its password."""
    if "://" not in value:
        return value
    try:
        password = urlsplit(value).password
    except ValueError:
        return "(not an address)"
    return value.replace(f":{password}@", ":***@") if password else value
