"""The stage that all entries share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.world import QUICK, World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Smaller than that of ``python -m benchmarks``: here each entry stands by itself."""
    with World(replace(QUICK, fleet=3_000, small=1_500, acts=200, rows=3_000)) as made:
        yield made
