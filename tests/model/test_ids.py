import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue
from assetflow.model import uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ENTROPY = st.binary(min_size=10, max_size=10)


@given(TIMES, ENTROPY)
def test_the_layout_is_that_of_the_rfc(at, entropy):
    made = uuid.UUID(uuid7(at, entropy))
    assert str(made) == uuid7(at, entropy)
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == (at - EPOCH) // timedelta(milliseconds=1)


def test_the_example_of_the_rfc():
    """RFC 9562, appendix A.6: rand_a is 0xCC3, rand_b is 0x18C4DC0C0C07398F."""
    at = datetime(2022, 2, 22, 14, 22, 22, tzinfo=timezone(timedelta(hours=-5)))
    noise = (0xCC3 << 62) | 0x18C4DC0C0C07398F
    assert uuid7(at, noise.to_bytes(10, "big")) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.lists(st.tuples(TIMES, ENTROPY), min_size=2, max_size=10))
def test_ids_sort_by_their_millisecond(pairs):
    def milliseconds(pair):
        return (pair[0] - EPOCH) // timedelta(milliseconds=1)

    ids = [(milliseconds(p), uuid7(*p)) for p in pairs]
    assert [m for m, _ in sorted(ids, key=lambda i: i[1])] == sorted(m for m, _ in ids)


@given(st.sets(ENTROPY, min_size=2, max_size=20))
def test_ids_of_one_moment_differ_by_their_noise(noises):
    at = datetime(2026, 8, 17, tzinfo=UTC)
    # Six of the eighty bits give way to version and variant.
    kept = {int.from_bytes(n, "big") & ((1 << 74) - 1) for n in noises}
    assert len({uuid7(at, n) for n in noises}) == len(kept)


@given(st.integers(0, 10**15))
def test_no_microsecond_falls_into_the_millisecond_before(micros):
    at = EPOCH + timedelta(microseconds=micros)
    assert int(uuid7(at, bytes(10)).replace("-", "")[:12], 16) == micros // 1000


@pytest.mark.parametrize(
    ("at", "entropy"),
    [
        (datetime(2026, 8, 17), bytes(10)),  # noqa: DTZ001
        (datetime(1969, 12, 31, tzinfo=UTC), bytes(10)),
        (datetime(2026, 8, 17, tzinfo=UTC), bytes(9)),
    ],
)
def test_what_makes_no_id_is_refused(at, entropy):
    with pytest.raises(InvalidValue):
        uuid7(at, entropy)
