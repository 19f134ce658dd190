import pytest

import assetflow
from assetflow import usd


@pytest.fixture
def district():
    with assetflow.open(
        "memory:", district="lincoln", create=True, actor="it@lincoln.example"
    ) as d:
        d.places.add("site", "Lincoln High", code="LHS")
        d.people.register(
            "student",
            local_id="0204881",
            given_name="Ana",
            family_name="Canary",
            email="ana.canary@lincoln.example",
        )
        d.devices.set_model("HP 11 G9", replacement_cost=usd("319.00"))
        for number in range(1, 6):
            d.devices.register(
                asset_tag=f"LHS-{number:04d}",
                serial=f"5CD000{number}",
                model="HP 11 G9",
                site_id=d.places.get("LHS").id,
            )
        yield d
