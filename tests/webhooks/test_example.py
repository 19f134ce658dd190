"""The receiver in `examples/` takes what a district sends, once, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import assetflow as af
from assetflow.wire import TargetRules, new_webhook_secret

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "webhook_receiver.py"


@pytest.fixture
def running():
    """The example as a process of its own: its address, its secret, its output."""
    secret = new_webhook_secret().reveal()
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PORTAL_SECRET": secret},
    )
    try:
        port = process.stdout.readline().split()[-1]
        yield f"http://127.0.0.1:{port}/hook", secret, process
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_it_takes_what_is_signed_once_and_nothing_else(running):
    url, secret, process = running
    rules = TargetRules.loopback()
    with af.open("memory:", district="lincoln", create=True) as district:
        district.webhooks.add("portal", url=url, secrets=["${PORTAL_SECRET}"], rules=rules)
        district.devices.register(asset_tag="LHS-1")
        district.devices.edit("LHS-1", condition="good")
        report = district.webhooks.deliver(secrets=lambda _: secret, rules=rules)
        assert (report.delivered, report.failed) == (2, 0)
        forged = httpx.post(url, content=b"{}", headers={"webhook-id": "msg_1"})
        assert forged.status_code == 401
        wrong = district.webhooks.test(
            "portal", secrets=lambda _: new_webhook_secret(), rules=rules
        )
        assert wrong.status == 401
    process.kill()
    lines = process.stdout.read().splitlines()
    assert [line.split()[0] for line in lines] == [
        "org.assetflow.device.registered.v1",
        "org.assetflow.device.edited.v1",
        "refused:",
        "refused:",
    ]
