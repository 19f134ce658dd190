"""Several who give out one name at once: one has it, and the others learn of it."""

import threading

import pytest

from assetflow.errors import DuplicateKey
from assetflow.model import F

HANDS, ROUNDS = 4, 12


def at_once(work):
    """What some threads raise that begin together."""
    raised, barrier = [], threading.Barrier(HANDS)

    def run():
        barrier.wait(30)
        try:
            work()
        except DuplicateKey:
            raised.append("taken")
        except BaseException as problem:  # noqa: BLE001  # told below
            raised.append(problem)

    threads = [threading.Thread(target=run) for _ in range(HANDS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def tag(district, n):
    district.devices.register(asset_tag=f"T{n}")


def serial(district, n):
    district.devices.register(serial=f"S{n}")


def number(district, n):
    district.people.register("student", local_id=f"{n}")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("give", "held"),
    [
        (tag, lambda d, n: d.devices.where(F.asset_tag == f"T{n}")),
        (serial, lambda d, n: d.devices.where(F.serial == f"S{n}")),
        (number, lambda d, n: d.people.where(F.local_id == f"{n}")),
    ],
)
def test_a_name_is_given_once(ground, give, held):
    ground.settle(people=1, devices=1)
    with ground.open(actor="desk") as district:
        for n in range(ROUNDS):
            assert at_once(lambda n=n: give(district, n)) == ["taken"] * (HANDS - 1)
            assert held(district, n).count() == 1
        assert district.journal.verify().ok


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("give", "held"),
    [
        (
            lambda d, n: d.places.add("room", f"Room {n}", code=f"R{n}"),
            lambda d, n: d.places.where(F.code == f"R{n}"),
        ),
        (
            lambda d, n: d.devices.set_model(f"Kestrel {n}"),
            lambda d, n: d.devices.models(F.name == f"Kestrel {n}"),
        ),
    ],
)
def test_what_is_added_or_changed_is_added_once(ground, give, held):
    ground.settle(people=1, devices=1)
    with ground.open(actor="desk") as district:
        for n in range(ROUNDS):
            assert at_once(lambda n=n: give(district, n)) == []
            assert len(list(held(district, n))) == 1
        assert district.journal.verify().ok
