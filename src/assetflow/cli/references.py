"""Secrets by reference, so that none stands in a settings file.

``${NAME}`` is a variable of the environment, ``FILE:/run/secrets/x`` a file's text,
``CMD:op read op://it/google/token`` what a command prints, ``KEYRING:service/name`` an entry of
the system's keyring (extra ``keyring``).
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from pathlib import Path

from assetflow.errors import ConfigError, MissingExtra

__all__ = ["check_private", "resolve"]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECONDS = 30


def resolve(value: str, *, name: str, trusted: bool) -> str:
    """What a value refers to; a value that refers to nothing is itself.

    Args:
        value: As it was written.
        name: The setting, for errors.
        trusted: Whether it may name a command to run.

    Raises:
        ConfigError: the reference leads nowhere. The error never holds what was found.
        MissingExtra: a keyring is named and the extra is not installed.
    """
    kind, colon, rest = value.partition(":")
    if colon and kind == "FILE":
        return _file(rest, name)
    if colon and kind == "CMD":
        return _command(rest, name, trusted=trusted)
    if colon and kind == "KEYRING":
        return _keyring(rest, name)
    return _VARIABLE.sub(lambda found: _variable(found[1], name), value)


def _variable(variable: str, name: str) -> str:
    value = os.environ.get(variable)
    if value is None:
        msg = f"{name} refers to the variable {variable}, which is not set"
        raise ConfigError(msg, hint=f"Set {variable} in the environment of the job.", setting=name)
    return value


def check_private(path: str, name: str) -> None:
    """Refuse a file with a secret that every user of the machine may read.

    Raises:
        ConfigError: it is readable or writable by others.
    """
    if os.name == "nt":
        return
    mode = Path(path).stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        msg = f"the file that {name} refers to is open to other users of this machine"
        raise ConfigError(msg, hint=f"Run: chmod 600 {shlex.quote(path)}", setting=name)


def _file(path: str, name: str) -> str:
    try:
        check_private(path, name)
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        msg = f"the file that {name} refers to cannot be read: {why}"
        raise ConfigError(msg, hint="Check the path after FILE:.", setting=name) from None


def _command(line: str, name: str, *, trusted: bool) -> str:
    if not trusted:
        msg = f"{name} names a command in a file that others may write to"
        raise ConfigError(
            msg, hint="Make the file yours and run: chmod go-w assetflow.toml", setting=name
        )
    words = shlex.split(line, posix=os.name != "nt")
    try:
        done = subprocess.run(  # noqa: S603  # the user's own file names it
            words, stdout=subprocess.PIPE, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, IndexError, subprocess.TimeoutExpired) as error:
        msg = f"the command that {name} refers to did not run: {type(error).__name__}"
        raise ConfigError(msg, hint="Run the command by hand.", setting=name) from None
    if done.returncode != 0 or not done.stdout.strip():
        msg = f"the command that {name} refers to ended with {done.returncode} and no secret"
        raise ConfigError(msg, hint="Run the command by hand.", setting=name)
    return done.stdout.rstrip("\r\n")


def _keyring(place: str, name: str) -> str:
    try:
        import keyring  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  # an extra
    except ImportError:
        raise MissingExtra("keyring", needs="keyring") from None
    service, _, user = place.partition("/")
    try:
        secret = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001  # backends raise what they like
        msg = f"the keyring that {name} refers to did not answer: {type(error).__name__}"
        raise ConfigError(
            msg, hint="A job without a desktop has no keyring: use FILE: or CMD:.", setting=name
        ) from None
    if secret is None:
        msg = f"the keyring has no entry for {name}"
        raise ConfigError(
            msg, hint=f"Store it: keyring set {shlex.quote(service)} {shlex.quote(user)}"
        )
    return str(secret)
