"""The connector to Google that the settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.cli.config import KEYS, Settings, variable
from assetflow.connectors import GoogleAdmin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetflow.wire import RetryPolicy

__all__ = ["connect", "is_set_up"]

_NAMES = tuple(name for name in KEYS if name.startswith("google."))


def connect(settings: Settings, *, retry: RetryPolicy | None = None) -> GoogleAdmin:
    """A connector, made as `GoogleAdmin.from_env` makes it, from settings of any source.

    Args:
        settings: The settings.
        retry: When to try again, instead of the connector's own patience.

    Raises:
        ConfigError: credentials are missing or cannot be used.
    """
    return GoogleAdmin.from_env(_environ(settings), retry=retry)


def is_set_up(settings: Settings) -> bool:
    """Whether anybody said how to reach Google."""
    return any(s.name in _NAMES and s.source != "default" for s in settings)


def _environ(settings: Settings) -> Mapping[str, str]:
    found = {name: settings.get(name) for name in _NAMES}
    return {variable(name): value for name, value in found.items() if value}
