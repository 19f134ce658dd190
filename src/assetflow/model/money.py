"""Money: whole minor units and a currency. Floats are refused."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Self

from attrs import field, frozen

from assetflow.errors import InvalidValue

__all__ = ["DIGITS", "Money", "usd"]

DIGITS: Mapping[str, int] = MappingProxyType(
    {
        "JPY": 0,
        "KRW": 0,
        "VND": 0,
        "CLP": 0,
        "ISK": 0,
        "BHD": 3,
        "KWD": 3,
        "OMR": 3,
        "JOD": 3,
        "TND": 3,
    }
)
"""ISO 4217 currencies whose minor unit is not a hundredth, and their digits; the rest have two."""
_PLAIN = re.compile(r"([+-]?)(?:\$ ?)?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?")
_INT64 = 2**63 - 1


def _whole(_: object, __: object, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"money is counted in whole minor units, not in {type(value).__name__}"
        raise InvalidValue(msg, hint='Use Money.parse("299.95", "USD") or Money(29995, "USD").')
    if abs(value) > _INT64:
        msg = "an amount beyond 64 bits"
        raise InvalidValue(msg)


def _code(_: object, __: object, value: Any) -> None:
    if not (
        isinstance(value, str)
        and len(value) == 3
        and value.isascii()
        and value.isalpha()
        and value.isupper()
    ):
        msg = "a currency is three capital letters"
        raise InvalidValue(msg, hint="USD")


@frozen(order=False)
class Money:
    """An amount of money, exact.

    Amounts of two currencies neither add nor compare.
    """

    minor: int = field(validator=_whole)
    """Minor units: cents for USD. May be negative."""
    currency: str = field(default="USD", validator=_code)
    """ISO 4217 code."""

    @classmethod
    def parse(cls, text: object, currency: str = "USD") -> Self:
        """Read ``299.95``, ``$1,299.95`` or ``-12``.

        Args:
            text: Text alone: a float has already lost cents.
            currency: ISO 4217 code.

        Raises:
            InvalidValue: not a plain amount, or more digits than the currency has.
        """
        if not isinstance(text, str):
            msg = f"an amount is text or whole minor units, not {type(text).__name__}"
            raise InvalidValue(msg, hint='Money.parse("299.95", "USD")')
        found = _PLAIN.fullmatch(text.strip())
        if found is None:
            msg = "not a plain amount of money"
            raise InvalidValue(
                msg, hint="Write digits, at most one point, commas only between thousands."
            )
        sign, whole, fraction = found[1], found[2].replace(",", ""), found[3] or ""
        digits = DIGITS.get(currency, 2)
        if fraction[digits:].strip("0"):
            msg = f"{currency} has {digits} digits after the point"
            raise InvalidValue(msg)
        if len(whole) > 20:  # beyond 64 bits, and int() itself refuses what is very long
            whole = whole.lstrip("0")[:21]
        minor = int(f"0{whole}{fraction[:digits].ljust(digits, '0')}")
        return cls(-minor if sign == "-" else minor, currency)

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            msg = f"{self.currency} and {other.currency} cannot be combined"
            raise InvalidValue(msg)

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __mul__(self, count: int) -> "Money":
        if isinstance(count, bool) or not isinstance(count, int):
            msg = "money is multiplied by whole counts; split it with `split`"
            raise InvalidValue(msg)
        return Money(self.minor * count, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: "Money") -> bool:
        return other < self

    def __ge__(self, other: "Money") -> bool:
        return other <= self

    def split(self, weights: Sequence[int]) -> tuple["Money", ...]:
        """Divide by whole weights so that the parts add up exactly.

        What is left after rounding down goes, a minor unit each, to the parts that lost the
        most, the earlier first among equals.

        Args:
            weights: Not negative, not all zero; basis points, say.

        Raises:
            InvalidValue: a negative weight, or none above zero.
        """
        whole = sum(weights)
        if whole <= 0 or any(w < 0 for w in weights):
            msg = "weights are not negative, and not all zero"
            raise InvalidValue(msg)
        sign, amount = (-1, -self.minor) if self.minor < 0 else (1, self.minor)
        parts = [amount * w // whole for w in weights]
        lost = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
        for i in lost[: amount - sum(parts)]:
            parts[i] += 1
        return tuple(Money(sign * p, self.currency) for p in parts)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, exact."""
        return Decimal(self.minor).scaleb(-DIGITS.get(self.currency, 2))

    def __str__(self) -> str:
        sign = "-" if self.minor < 0 else ""
        mark = "$" if self.currency == "USD" else f"{self.currency} "
        return f"{sign}{mark}{abs(self.amount):,}"


def usd(text: str) -> Money:
    """US dollars: ``usd("299.95")``.

    Raises:
        InvalidValue: not a plain amount.
    """
    return Money.parse(text, "USD")
