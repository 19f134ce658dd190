"""What a test of your own needs: conformance suites, strategies, fakes, a made-up district.

Nothing is imported before it is asked for. The suites and strategies need pytest and Hypothesis;
the fakes and the made-up district need neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assetflow.testing.stores import StoreConformance, store_machine

__all__ = ["StoreConformance", "store_machine"]

_HOMES = {
    "StoreConformance": "assetflow.testing.stores",
    "store_machine": "assetflow.testing.stores",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
