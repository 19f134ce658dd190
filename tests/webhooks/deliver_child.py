"""Delivers until it is killed: ``deliver_child.py URL SECRET SECONDS``."""

import sys

import assetflow as af
from assetflow.wire import Secret, TargetRules

url, secret, seconds = sys.argv[1:]
with af.open(url, actor="child") as district:
    district.webhooks.deliver(
        seconds=float(seconds), secrets=lambda _: Secret(secret), rules=TargetRules.loopback()
    )
