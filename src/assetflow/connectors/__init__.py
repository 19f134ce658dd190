"""Connectors: the systems that already know the devices and the people.

Each has a package of its own, which is loaded when it is first named. Connectors of other
distributions register under the entry-point group ``assetflow.connectors`` and are found by
[`load_connector`][assetflow.connectors.load_connector].
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from assetflow.errors import MissingExtra, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from assetflow.connectors.google import GoogleAdmin
    from assetflow.connectors.spec import Connector

__all__ = [
    "ENTRY_POINTS",
    "GoogleAdmin",
    "available_connectors",
    "load_connector",
    "raw_dictionaries",
]

ENTRY_POINTS = "assetflow.connectors"
"""The entry-point group of connectors from other distributions."""

_LAZY = {"GoogleAdmin": "assetflow.connectors.google"}
_OURS = {"google": "GoogleAdmin"}
_DICTIONARIES = {"google": "assetflow.connectors.google.dictionary"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        found = getattr(import_module(_LAZY[name]), name)
        globals()[name] = found
        return found
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_connector(name: str) -> Callable[..., Connector]:
    """The class, or another callable, that makes a connector.

    A name of ours cannot be taken by another distribution.

    Args:
        name: Its short name, such as ``google``.

    Raises:
        PluginError: Nobody offers that name, two distributions do, or the one that does cannot
            be loaded or was written for another version of the protocol.
        MissingExtra: It needs an optional package that is not installed.
    """
    if name in _OURS:
        ours: Callable[..., Connector] = __getattr__(_OURS[name])
        return ours
    found = [entry for entry in _entries() if entry.name == name]
    if not found:
        known = ", ".join(sorted({*_OURS, *(entry.name for entry in _entries())}))
        raise PluginError(
            f"there is no connector {name!r}", hint=f"Install it, or use one of: {known}."
        )
    if len(found) > 1:
        offered = ", ".join(sorted(_distribution(entry) for entry in found))
        raise PluginError(
            f"the connector {name!r} is offered more than once",
            hint=f"Uninstall all but one of: {offered}.",
        )
    return _load(found[0])


def available_connectors() -> dict[str, Callable[..., Connector] | PluginError | MissingExtra]:
    """Every connector that is installed, by name.

    Returns:
        What makes each; for one that is broken the error that says why, so that it does not stop
        the others.
    """
    found: dict[str, Callable[..., Connector] | PluginError | MissingExtra] = {}
    for name in sorted({*_OURS, *(entry.name for entry in _entries())}):
        try:
            found[name] = load_connector(name)
        except (PluginError, MissingExtra) as error:
            found[name] = error
    return found


def raw_dictionaries(name: str) -> Mapping[int, bytes]:
    """The dictionaries of a connector's raw records, by version, without an account.

    Another distribution's connector offers them as ``RAW_DICTIONARIES``, an attribute of what
    makes it. Empty when the connector is not installed or offers none.
    """
    if name in _DICTIONARIES:
        ours: Mapping[int, bytes] = import_module(_DICTIONARIES[name]).RAW_DICTIONARIES
        return ours
    try:
        found = getattr(load_connector(name), "RAW_DICTIONARIES", None)
    except (PluginError, MissingExtra):
        found = None
    return found if isinstance(found, Mapping) else {}


def _entries() -> list[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import

    return list(entry_points(group=ENTRY_POINTS))


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def _load(entry: EntryPoint) -> Callable[..., Connector]:
    from assetflow.connectors.spec import PROTOCOL_VERSION  # noqa: PLC0415 - imports the model

    who = _distribution(entry)
    try:
        made = entry.load()
    except MissingExtra:
        raise
    except Exception as error:
        raise PluginError(
            f"the connector {entry.name!r} cannot be loaded",
            hint=f"Update or uninstall {who}.",
            distribution=who,
            cause=type(error).__name__,
        ) from error
    if not callable(made):
        raise PluginError(
            f"the connector {entry.name!r} is nothing that makes connectors",
            hint=f"Update or uninstall {who}.",
            distribution=who,
        )
    version = getattr(made, "protocol_version", PROTOCOL_VERSION)
    if version != PROTOCOL_VERSION:
        raise PluginError(
            f"the connector {entry.name!r} speaks version {version} of the protocol, not "
            f"{PROTOCOL_VERSION}",
            hint=f"Install a version of {who} that fits this assetflow.",
            distribution=who,
        )
    return cast("Callable[..., Connector]", made)
