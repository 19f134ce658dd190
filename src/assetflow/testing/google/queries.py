"""The query language of ``chromeosdevices``: the operators that K-12 scripts use.

Every operator narrows; there is no OR. What the fake does not know it refuses, since a filter
that is quietly ignored would let a wrong query pass a test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from assetflow.testing.google.answers import Refused, directory_error

__all__ = ["OPERATORS", "matcher"]

_TERM = re.compile(r'([a-z_]+):(?:"([^"]*)"|(\S+))\s*')
_STATUS = {
    "provisioned": {"ACTIVE", "DELINQUENT"},
    "managed": {"ACTIVE", "DELINQUENT", "DISABLED"},
    "disabled": {"DISABLED"},
    "deprovisioned": {"DEPROVISIONED"},
}
Test = Callable[[Mapping[str, Any]], bool]


def matcher(query: str) -> Test:
    """What tells whether a device answers to a query.

    Raises:
        Refused: An operator or a value that is not known.
    """
    at, tests = 0, []
    text = query.strip()
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            raise _invalid(query)
        name, quoted, plain = term.groups()
        make = OPERATORS.get(name)
        if make is None:
            raise _invalid(query)
        tests.append(make(plain if quoted is None else quoted))
        at = term.end()
    return lambda device: all(test(device) for test in tests)


def _holds(field: str) -> Callable[[str], Test]:
    def make(value: str) -> Test:
        wanted = value.lower()
        return lambda device: wanted in str(device.get(field) or "").lower()

    return make


def _serial(value: str) -> Test:
    if len(value) < 3:
        raise _invalid(value)
    return _holds("serialNumber")(value)


def _status(value: str) -> Test:
    wanted = _STATUS.get(value)
    if wanted is None:
        raise _invalid(value)
    return lambda device: device.get("status") in wanted


def _between(field: str) -> Callable[[str], Test]:
    """``2026-01-01``, ``2026-01-01..``, ``..2026-01-01`` or both ends; days or instants."""

    def make(value: str) -> Test:
        first, dots, last = value.partition("..")
        low, high = (first, last) if dots else (value, value)
        for end in (low, high):
            if end and not re.fullmatch(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d)?", end):
                raise _invalid(value)

        def test(device: Mapping[str, Any]) -> bool:
            at = str(device.get(field) or "")
            return (
                bool(at)
                and (not low or at[: len(low)] >= low)
                and (not high or at[: len(high)] <= high)
            )

        return test

    return make


def _recent_user(value: str) -> Test:
    wanted = value.lower()
    return lambda device: any(
        str(user.get("email") or "").lower() == wanted for user in device.get("recentUsers") or ()
    )


def _same_mac(value: str) -> Test:
    wanted = value.lower()
    return lambda device: str(device.get("macAddress") or "").lower() == wanted


OPERATORS: Mapping[str, Callable[[str], Test]] = {
    "asset_id": _holds("annotatedAssetId"),
    "id": _serial,
    "location": _holds("annotatedLocation"),
    "note": _holds("notes"),
    "public_model_name": _holds("model"),
    "recent_user": _recent_user,
    "register": _between("lastEnrollmentTime"),
    "status": _status,
    "sync": _between("lastSync"),
    "user": _holds("annotatedUser"),
    "wifi_mac": _same_mac,
}
"""Each operator and what makes its test of a value."""


def _invalid(query: str) -> Refused:
    return Refused(directory_error(400, "invalidInput", f"Invalid Input: {query}"))
