"""assetflow: the library on which a school district runs its technology assets.

Start with [`open`][assetflow.open]. Names are loaded when they are first used, so that importing
the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assetflow.connectors import GoogleAdmin
    from assetflow.district import Consortium, District, Pager, open_consortium
    from assetflow.district import open_district as open  # noqa: A004  # assetflow.open reads as it should
    from assetflow.errors import (
        AssetflowError,
        ConfigError,
        ConnectorError,
        ExchangeError,
        InputError,
        Refusal,
        StoreError,
    )
    from assetflow.model import (
        Condition,
        Custody,
        CustodyKind,
        Device,
        DeviceModel,
        DistrictPolicy,
        F,
        FundingShare,
        Lifecycle,
        Management,
        Money,
        Person,
        PersonKind,
        Place,
        PlaceKind,
        Programme,
        SchoolCalendar,
        SchoolYear,
        usd,
    )
    from assetflow.wire import verify_webhook

    __version__: str

_HOMES = {
    "AssetflowError": "errors",
    "Condition": "model",
    "ConfigError": "errors",
    "ConnectorError": "errors",
    "Consortium": "district",
    "Custody": "model",
    "CustodyKind": "model",
    "Device": "model",
    "DeviceModel": "model",
    "District": "district",
    "DistrictPolicy": "model",
    "ExchangeError": "errors",
    "F": "model",
    "FundingShare": "model",
    "GoogleAdmin": "connectors",
    "InputError": "errors",
    "Lifecycle": "model",
    "Management": "model",
    "Money": "model",
    "Pager": "district",
    "Person": "model",
    "PersonKind": "model",
    "Place": "model",
    "PlaceKind": "model",
    "Programme": "model",
    "Refusal": "errors",
    "SchoolCalendar": "model",
    "SchoolYear": "model",
    "StoreError": "errors",
    "open_consortium": "district",
    "usd": "model",
    "verify_webhook": "wire",
}

__all__ = [
    "AssetflowError",
    "Condition",
    "ConfigError",
    "ConnectorError",
    "Consortium",
    "Custody",
    "CustodyKind",
    "Device",
    "DeviceModel",
    "District",
    "DistrictPolicy",
    "ExchangeError",
    "F",
    "FundingShare",
    "GoogleAdmin",
    "InputError",
    "Lifecycle",
    "Management",
    "Money",
    "Pager",
    "Person",
    "PersonKind",
    "Place",
    "PlaceKind",
    "Programme",
    "Refusal",
    "SchoolCalendar",
    "SchoolYear",
    "StoreError",
    "__version__",
    "open",
    "open_consortium",
    "usd",
    "verify_webhook",
]


def __getattr__(name: str) -> Any:
    if name == "open":
        value: Any = import_module("assetflow.district").open_district
    elif name == "__version__":
        value = import_module("importlib.metadata").version("assetflow-k12")
    elif name in _HOMES:
        value = getattr(import_module(f"assetflow.{_HOMES[name]}"), name)
    else:
        msg = f"module 'assetflow' has no attribute {name!r}"
        raise AttributeError(msg)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
