"""What a worker does to a district. It runs in a process that the nursery forks.

A worker says ``["begin", n, act]`` before an act, and ``["done", n, outcome]`` after it returned,
where the outcome is ``["ok", ids]`` or ``["refused", code]``. Each act has a reason of its own,
``NAME-n``, which its events in the journal carry, and the same as its idempotency key.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import assetflow
import assetflow.district  # all that a worker needs is loaded before the fork
from assetflow.errors import DuplicateKey, Refusal, StoreError
from assetflow.store.sql import SqlStore
from harness.grounds import HERE, furnish, person, tag
from harness.obstacles import OBSTACLES, become

__all__ = ["obstructed", "perform", "race", "toil", "warm", "write"]

Outcome = list[Any]
_PATIENCE = 120.0
_AWAY = {"store-unavailable", "transaction-lost", "commit-unknown", "store-locked"}


def warm() -> None:
    """Load what is loaded at first use, so that no worker has to."""
    with suppress(ImportError):
        import psycopg  # noqa: F401
    given = {"people": 3, "devices": 3}
    with assetflow.open("memory:", district=HERE, actor="warm", create=True) as district:
        furnish(district, **given)
        dice = random.Random(1)
        for n in range(30):
            perform(district, choose(dice, "warm", n, given), f"warm-{n}")


def choose(dice: random.Random, name: str, n: int, given: dict[str, Any]) -> list[Any]:
    """The next act: mostly hand-outs and returns of a few devices that all want."""
    device = tag(dice.randrange(given["devices"]))
    drawn = dice.random()
    if drawn < 0.5:
        return ["check_out", device, person(dice.randrange(given["people"]))]
    if drawn < 0.8:
        return ["check_in", device]
    if drawn < 0.9:
        return ["register", f"{name}-{n}"]
    return ["edit", device, f"PO-{name}-{n}"]


def perform(district: assetflow.District, act: list[Any], reason: str) -> Outcome:
    """Do an act under its reason and key; a refusal is an outcome too."""
    verb, *said = act
    try:
        if verb == "check_out":
            done = district.custody.check_out(said[0], to=said[1], reason=reason, key=reason)
            return ["ok", {"device": done.device.id, "custody": done.custody.id}]
        if verb == "check_in":
            done = district.custody.check_in(said[0], reason=reason, key=reason)
            return ["ok", {"device": done.device.id, "custody": done.custody.id}]
        if verb == "register":
            device = district.devices.register(asset_tag=said[0], serial=said[0], reason=reason)
        else:
            device = district.devices.edit(said[0], order_line=said[1], reason=reason)
    except Refusal as no:
        return ["refused", no.code]
    except DuplicateKey as taken:
        if verb != "register":
            raise
        return ["refused", taken.code]
    return ["ok", {"device": device.id}]


def write(given: dict[str, Any], voice: Any) -> None:
    """Act without end, and say each act that returned. Something kills it."""
    dice = random.Random(given["seed"])
    name = given["name"]
    with assetflow.open(given["url"], district=HERE, actor=name) as district:
        for n in range(1_000_000):
            act = choose(dice, name, n, given)
            voice.say(["begin", n, act])
            voice.say(["done", n, perform(district, act, f"{name}-{n}")])


def toil(given: dict[str, Any], voice: Any) -> None:
    """Act until told to stop, though the database goes away and comes back; each act until it is done."""
    dice = random.Random(given["seed"])
    name = given["name"]
    district = _patiently(
        voice, -1, lambda: assetflow.open(given["url"], district=HERE, actor=name)
    )
    voice.wait()
    stop = Path(given["stop"])
    for n in range(1_000_000):
        if stop.exists():
            break
        act = choose(dice, name, n, given)
        if act[0] == "edit":  # it has no key, so that done again it may be done twice
            act = ["check_in", act[1]]
        voice.say(["begin", n, act])
        outcome = _patiently(voice, n, lambda a=act, r=f"{name}-{n}": perform(district, a, r))
        if act[0] == "register" and outcome[0] == "refused":
            # An answer was lost, and the act was done: the tag is taken by its own device.
            device = district.devices.get(act[1])
            outcome = ["ok", {"device": device.id}]
        voice.say(["done", n, outcome])
    district.close()


def _patiently(voice: Any, n: int, do: Callable[[], Any]) -> Any:
    """Do it, and again for as long as the database is away."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return do()
        except StoreError as gone:
            if gone.code not in _AWAY or time.monotonic() > end:
                raise
            voice.say(["lost", n, gone.code])
            time.sleep(0.05)


def obstructed(given: dict[str, Any], voice: Any) -> None:
    """Act until something stands in the way, look, have it removed, and go on."""
    dice, name = random.Random(given["seed"]), given["name"]
    become(given["user"])
    store = SqlStore.open(given["url"], lock_timeout=0.3)
    with closing(store), assetflow.open(store, district=HERE, actor=name) as district:
        lift, left = None, given["after"]
        for n in range(10_000):
            if n == given["before"]:
                lift = OBSTACLES[given["obstacle"]](store)
            act = choose(dice, name, n, given)
            voice.say(["begin", n, act])
            try:
                outcome = perform(district, act, f"{name}-{n}")
            except StoreError as failed:
                outcome = ["failed", failed.code]
            voice.say(["done", n, outcome])
            if outcome[0] == "failed":
                voice.say(["read", district.devices.get(tag(0)).asset_tag])
                lift()
            elif lift is None or outcome[0] != "ok" or n < given["before"]:
                continue
            elif lift.lifted:
                left -= 1
            if left == 0:
                return


def race(given: dict[str, Any], voice: Any) -> None:
    """Hand out and take back what others want too, and say when each call began and ended."""
    dice = random.Random(given["seed"])
    mine = given["person"]
    said: list[Any] = []
    held: list[str] = []
    with assetflow.open(given["url"], district=HERE, actor=given["name"]) as district:
        voice.wait()
        out, back = district.custody.check_out, district.custody.check_in
        left = given["check_outs"]
        while left:
            device = tag(dice.randrange(given["devices"]))
            taking = dice.random() < given["taking"]
            left -= taking
            if not taking and held and dice.random() < 0.8:
                device = dice.choice(held)
            begun = time.monotonic_ns()
            try:
                if taking:
                    out(device, to=mine)
                else:
                    back(device, expected_from=mine)
                outcome = "ok"
            except Refusal as no:
                outcome = no.code
            except StoreError as failed:
                outcome = f"failed: {failed.code}"
            ended = time.monotonic_ns()
            if outcome == "ok":
                held.append(device) if taking else held.remove(device)
            said.append([device, "out" if taking else "in", mine, begun, ended, outcome])
            if len(said) >= 200:
                voice.say_many(said)
                said.clear()
    voice.say_many(said)
