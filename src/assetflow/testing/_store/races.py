"""Conformance: threads that want the same thing at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from assetflow.errors import DuplicateKey, StaleVersion
from assetflow.model import Device, OpenCustody, Person, Query, Remembered
from assetflow.store.journal import verify
from assetflow.testing._store.tools import (
    NOW,
    Suite,
    custody,
    device,
    edited,
    entry,
    in_turn,
    insertion,
    opened,
)

if TYPE_CHECKING:
    from assetflow.store.ports import Store

THREADS = 6


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """What some threads return or raise that begin together, each with its number."""
    results: list[Any] = [None] * THREADS
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> None:
        barrier.wait(timeout=30)
        try:
            results[number] = work(number)
        except BaseException as problem:  # noqa: BLE001  # told by the main thread
            results[number] = problem

    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Races(Suite):
    """Of several that want the same, one gets it, and the others learn of it."""

    def test_one_of_several_inserts_an_idempotency_key(self, store: Store) -> None:
        here = self.district()

        def remember(number: int) -> str:
            def work() -> None:
                said = Remembered(key="k", fingerprint="f", result=str(number), made_at=NOW)
                with store.write(here) as tx:
                    tx.insert([said])
                    tx.record([entry(device(f"d{number}"))])

            try:
                in_turn(work)
            except DuplicateKey:
                return "late"
            return "first"

        assert sorted(at_once(remember)) == ["first"] + ["late"] * (THREADS - 1)
        with store.read(here) as tx:
            (said,) = tx.find(Query(kind=Remembered))
            (written,) = tx.find(Query(kind=Device))
            assert written.id == f"d{said.result}"
            assert verify(tx).events == 1

    def test_who_locks_first_and_reads_then_is_never_stale(self, store: Store) -> None:
        here, each = self.district(), 8
        insertion(store, here, device())

        def count_up(_: int) -> None:
            for _turn in range(each):
                in_turn(one_up)

        def one_up() -> None:
            with store.write(here) as tx:
                tx.get(Device, "d1")  # fixes a snapshot on engines that keep one
                tx.lock((Device, ("d1",)))
                current = tx.get(Device, "d1")
                assert current is not None
                tx.record([entry(edited(current, asset_tag=f"T{current.version}"))])

        assert at_once(count_up) == [None] * THREADS
        with store.read(here) as tx:
            assert tx.get(Device, "d1") == device(
                asset_tag=f"T{THREADS * each}", version=THREADS * each + 1
            )
            assert verify(tx).events == THREADS * each + 1

    def test_a_device_is_in_one_hand(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device())

        def check_out(number: int) -> str:
            held = custody(f"c{number}", accountable_id=f"p{number}")

            def work() -> None:
                with store.write(here) as tx:
                    tx.record([entry(held, opened(held))])

            try:
                in_turn(work)
            except DuplicateKey:
                return "late"
            return "first"

        assert sorted(at_once(check_out)) == ["first"] + ["late"] * (THREADS - 1)
        with store.read(here) as tx:
            assert tx.count(Query(kind=OpenCustody)) == tx.count(Query(kind=type(custody()))) == 1

    def test_one_of_several_replaces_a_version(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device())

        def replace(number: int) -> str:
            def work() -> None:
                with store.write(here) as tx:
                    tx.record([entry(edited(device(), asset_tag=f"T{number}"))])

            try:
                in_turn(work)
            except StaleVersion:
                return "late"
            return "first"

        assert sorted(at_once(replace)) == ["first"] + ["late"] * (THREADS - 1)

    def test_what_is_not_there_can_be_locked(self, store: Store) -> None:
        here = self.district()
        with store.write(here) as tx:
            tx.lock((Person, ("p9",)), (Device, ("d9",)), (Device, ("d1",)), (Device, ("d9",)))
            tx.record([entry(device("d9"))])
            assert tx.get(Device, "d9") == device("d9")

    def test_locks_taken_in_any_order_do_not_block_each_other(self, store: Store) -> None:
        here = self.district()
        insertion(store, here, device("d1"), device("d2"))

        def both(number: int) -> None:
            targets = [(Device, ("d1",)), (Device, ("d2",))][:: 1 if number % 2 else -1]

            def work() -> None:
                with store.write(here) as tx:
                    tx.lock(*targets)
                    found = tx.get_many(Device, [("d1",), ("d2",)])
                    tx.record([entry(*(edited(d) for d in found.values()))])

            for _turn in range(5):
                in_turn(work)

        assert at_once(both) == [None] * THREADS
        with store.read(here) as tx:
            versions = [d.version for d in tx.find(Query(kind=Device))]
            assert versions == [THREADS * 5 + 1] * 2


class Hooks(Suite):
    """A hook is told of commits, and of nothing else."""

    @pytest.fixture
    def hooked(self) -> Any:
        """Makes a store that tells a hook: ``hooked(on_commit)``. ``None`` skips visibly."""
        return None

    def test_the_hook_is_told_after_each_commit(self, hooked: Any) -> None:
        if hooked is None:
            pytest.skip("the test class gives no `hooked` fixture")
        told: list[Any] = []
        store = hooked(lambda district, head, counts: told.append((district, head, dict(counts))))
        here = self.district()
        with store.write(here) as tx:
            tx.record([entry(device("d1", asset_tag="\0"), device("d2"))])
            tx.insert([Remembered(key="k", fingerprint="f", result="{}", made_at=NOW)])
            head = tx.head()
            assert told == []
        with store.write(here) as tx:
            tx.get(Device, "d1")
        with pytest.raises(DuplicateKey), store.write(here) as tx:
            tx.record([entry(device("d1"))])
        assert told == [(here, head, {"events": 1, "rows": 3, "intents": 0, "cleaned": 1})]

    def test_a_hook_that_fails_does_not_undo_the_commit(self, hooked: Any) -> None:
        if hooked is None:
            pytest.skip("the test class gives no `hooked` fixture")

        def fail(*_: Any) -> None:
            msg = "the hook's own"
            raise RuntimeError(msg)

        store, here = hooked(fail), self.district()
        insertion(store, here, device())
        with store.read(here) as tx:
            assert tx.get(Device, "d1") == device()
