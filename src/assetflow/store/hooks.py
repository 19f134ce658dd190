"""Telling a hook of a commit that has happened."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetflow.model import DistrictId
    from assetflow.store.ports import CommitHook, Head

__all__ = ["tell"]

_log = logging.getLogger("assetflow.store")


def tell(hook: CommitHook, district: DistrictId, head: Head, counts: Mapping[str, int]) -> None:
    """Tell a hook. What it raises is logged and goes no further: the commit has happened."""
    try:
        hook(district, head, counts)
    except Exception:  # noqa: BLE001  # whatever a hook does, the commit stands
        _log.exception("a commit hook failed; the commit stands")
