"""A page of bytes to values, and other decoders of the same fields."""

import pytest

from benchmarks.decode import Decoders
from benchmarks.measure import Missing

pytestmark = pytest.mark.benchmark(group="decode 3,000 devices")


@pytest.fixture(scope="module")
def decoders():
    return Decoders(3_000)


def test_assetflow(benchmark, decoders):
    benchmark(decoders.ours)


@pytest.mark.parametrize("peer", ["msgspec", "pydantic", "by_hand", "cattrs"])
def test_peer(benchmark, decoders, peer):
    try:
        decode = getattr(decoders, peer)()
    except Missing as missing:
        pytest.skip(str(missing))
    benchmark(decoders.over(decode))
