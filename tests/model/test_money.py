from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue
from assetflow.model import Money, usd
from assetflow.testing.strategies import money

MINOR = st.integers(-(10**15), 10**15)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("299.95", "USD", 29995),
        ("$1,299.95", "USD", 129995),
        ("-12", "USD", -1200),
        ("-$12.5", "USD", -1250),
        ("$ 7", "USD", 700),
        (" +0.010 ", "USD", 1),
        ("007", "USD", 700),
        ("1234", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("12.5000000000000000000000000000000000000000", "USD", 1250),
        ("0" * 5000 + "1", "USD", 100),
        ("92233720368547758.07", "USD", 2**63 - 1),
    ],
)
def test_amounts_are_read_exactly(text, currency, minor):
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "free",
        "12.345",
        "1.00000000000000000000000000000000000000000001",
        "1,29",
        "12,34.00",
        "1$2",
        "$",
        "--1",
        "1e3",
        "NaN",
        "Infinity",
        "1.",
        ".5",
        "١٢",
        "12 34",
        "9" * 5000,
        "92233720368547758.08",
    ],
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(InvalidValue):
        usd(text)


@pytest.mark.parametrize("value", [299.95, True, Decimal(1), None, "29995"])
def test_floats_and_other_numbers_are_no_minor_units(value):
    with pytest.raises(InvalidValue):
        Money(value)


@pytest.mark.parametrize("value", [299.95, 12, Decimal(1), None])
def test_only_text_is_parsed(value):
    with pytest.raises(InvalidValue):
        usd(value)


@pytest.mark.parametrize("currency", ["usd", "US", "USDX", "", 1, None, "U$D", "USD\n"])
def test_a_currency_is_three_capitals(currency):
    with pytest.raises(InvalidValue):
        Money(1, currency)


@given(money())
def test_what_is_printed_is_read_again(amount):
    text = str(amount)
    assert Money.parse(text.replace(f"{amount.currency} ", ""), amount.currency) == amount


@given(MINOR, MINOR, MINOR)
def test_adding_is_that_of_whole_numbers(a, b, c):
    assert Money(a) + Money(b) == Money(a + b) == Money(b) + Money(a)
    assert (Money(a) + Money(b)) + Money(c) == Money(a) + (Money(b) + Money(c))
    assert Money(a) - Money(b) == Money(a) + -Money(b)
    assert (Money(a) < Money(b)) == (a < b)
    assert (Money(a) >= Money(b)) == (a >= b)
    assert sorted([Money(a), Money(b), Money(c)]) == [Money(n) for n in sorted([a, b, c])]


@given(MINOR, st.integers(-1000, 1000))
def test_multiplying_by_a_count(minor, count):
    assert Money(minor) * count == count * Money(minor) == Money(minor * count)


@pytest.mark.parametrize("factor", [1.5, True, Decimal(1), "2", None])
def test_money_is_multiplied_by_counts_only(factor):
    with pytest.raises(InvalidValue):
        Money(100) * factor


def test_two_currencies_do_not_mix():
    for act in (
        lambda: Money(1, "USD") + Money(1, "EUR"),
        lambda: Money(1, "USD") - Money(1, "EUR"),
        lambda: Money(1, "USD") < Money(1, "EUR"),
        lambda: Money(1, "USD") >= Money(1, "EUR"),
    ):
        with pytest.raises(InvalidValue):
            act()
    assert Money(1, "USD") != Money(1, "EUR")


def test_an_amount_beyond_64_bits_is_refused():
    with pytest.raises(InvalidValue):
        Money(2**62) * 4
    with pytest.raises(InvalidValue):
        Money(2**63 - 1) + Money(1)


@given(MINOR, WEIGHTS)
def test_parts_add_up_and_none_is_a_cent_off(minor, weights):
    parts = Money(minor).split(weights)
    assert len(parts) == len(weights)
    assert sum(p.minor for p in parts) == minor
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.minor * sum(weights) - minor * weight) < sum(weights)
        if weight == 0:
            assert part.minor == 0


@given(MINOR, WEIGHTS)
def test_a_refund_splits_like_the_charge(minor, weights):
    assert Money(-minor).split(weights) == tuple(-p for p in Money(minor).split(weights))


@given(MINOR, WEIGHTS, st.integers(2, 9))
def test_only_the_ratio_of_weights_counts(minor, weights, factor):
    assert Money(minor).split(weights) == Money(minor).split([w * factor for w in weights])


@given(MINOR, WEIGHTS)
def test_more_weight_is_never_less_money(minor, weights):
    assume(minor >= 0)
    parts = [p.minor for p in Money(minor).split(weights)]
    for a, x in zip(weights, parts, strict=True):
        for b, y in zip(weights, parts, strict=True):
            assert a <= b or x >= y


def test_the_cent_that_is_left_goes_to_the_first_of_equals():
    assert [p.minor for p in usd("1.00").split([1, 1, 1])] == [34, 33, 33]
    assert [p.minor for p in usd("0.05").split([5000, 3000, 2000])] == [3, 1, 1]


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [1, -1], [2, -1]])
def test_weights_are_not_negative_and_not_all_zero(weights):
    with pytest.raises(InvalidValue):
        usd("1.00").split(weights)


def test_major_units_are_exact():
    assert usd("299.95").amount == Decimal("299.95")
    assert Money(5, "JPY").amount == Decimal(5)
    assert str(Money(-129995)) == "-$1,299.95"
    assert str(Money(1234, "KWD")) == "KWD 1.234"
