"""What a type checker sees of a script. Read by mypy and pyright; never run."""

from typing import assert_type

import assetflow as af
from assetflow.district import District, Pager
from assetflow.exchange.report import PullReport
from assetflow.model import Device


def a_script() -> None:
    with af.open("lincoln.db", actor="it@lincoln.example") as district:
        assert_type(district, District)
        for device in district.devices.where(af.F.lifecycle == "deployed"):
            assert_type(device, Device)
        assert_type(district.devices.get("LHS-004217"), Device)


def a_pager_has_no_length(found: Pager[Device]) -> None:
    assert_type(found.count(), int)
    len(found)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_pull(district: District, google: af.GoogleAdmin) -> None:
    assert_type(district.pull(google, workers=8), PullReport)
    district.pull(google, 8)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def names_of_the_front_door() -> str:
    return af.__version__
