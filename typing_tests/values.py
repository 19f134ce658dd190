"""What a type checker sees of the values. Read by mypy and pyright; never run."""

from collections.abc import Mapping
from datetime import date
from typing import assert_type

from assetflow import errors
from assetflow.model import Custody, Device, F, Lifecycle, Money, usd
from assetflow.model.ids import DeviceId
from assetflow.model.query import Predicate


def a_device_is_typed(device: Device) -> None:
    assert_type(device.id, DeviceId)
    assert_type(device.lifecycle, Lifecycle)
    assert_type(device.asset_tag, str | None)


def an_unknown_date_must_be_met(custody: Custody) -> bool:
    assert_type(custody.due_on, date | None)
    return custody.due_on is not None and custody.due_on < date(2027, 6, 4)


def a_value_cannot_be_changed(custody: Custody) -> None:
    custody.version = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def money_is_made_from_text() -> None:
    assert_type(usd("49.00"), Money)
    usd(49.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_comparison_is_a_filter() -> None:
    assert_type(F.lifecycle == Lifecycle.DEPLOYED, Predicate)
    assert_type((F.lifecycle == "deployed") & F.asset_tag.is_unknown(), Predicate)


def an_error_says_what_to_do(error: errors.AssetflowError) -> None:
    assert_type(error.recovery, errors.Recovery)
    assert_type(error.hint, str)
    context: Mapping[str, errors.ContextValue] = error.context
    del context


def a_refusal_is_two_kinds_of_thing(error: errors.NotFound) -> LookupError:
    return error
