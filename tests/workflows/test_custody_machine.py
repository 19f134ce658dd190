"""All custody verbs in any order, against a model of the rules that fits on a page.

What must hold after every step: a device is in exactly one place; it is deployed exactly while
one party answers for it; what is derived is right; the journal replays to the tables; a refused
verb wrote nothing; the same request under its key is answered as before.
"""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from assetflow.errors import IdempotencyMismatch, Refusal
from assetflow.model import (
    Condition,
    Custody,
    CustodyKind,
    CustodyPolicy,
    CustodyState,
    Device,
    DistrictPolicy,
    F,
    Holder,
    HolderKind,
    Lifecycle,
    OpenCustody,
    PersonStatus,
    PlaceKind,
    Query,
)
from assetflow.model.policy import OVERRIDABLE_RULES
from assetflow.rules.custody_checks import CHECK_IN_RULES, CHECK_OUT_RULES, TRANSFER_RULES
from assetflow.rules.funding import NewShare
from assetflow.store.journal import load_event
from assetflow.workflows import custody, funding, holds

IN_STOCK = ["d-1", "d-2", "d-3", "d-4", "d-5"]
DEVICES = [*IN_STOCK, "d-gone", "d-ordered"]
PEOPLE = ["p-ana", "p-ben", "p-left"]
PARTIES = [*PEOPLE, "place-cart-1"]
GONE = {Lifecycle.ORDERED, Lifecycle.RETIRED, Lifecycle.DISPOSED}

RULES = {code for code, _ in (*CHECK_OUT_RULES, *CHECK_IN_RULES, *TRANSFER_RULES)}

# Mostly what goes through: refusals end a walk before it has been anywhere.
devices = st.sampled_from([*IN_STOCK * 4, *DEVICES])
parties = st.sampled_from(["p-ana"] * 6 + ["p-ben"] * 2 + PARTIES)
dues = st.sampled_from([None, None, 0, 1, 14, 29, 30, 31, -1, 40])
kinds = st.sampled_from([CustodyKind.ASSIGNMENT] * 3 + [CustodyKind.LOAN])
overrides = st.just([]) | st.just([]) | st.lists(st.sampled_from(OVERRIDABLE_RULES), unique=True)
keys = st.sampled_from([None] * 8 + ["k-1", "k-2", "k-3"])
STEPS = Counter()
"""How often each verb went through."""


def holder(party: str) -> Holder:
    return Holder(HolderKind.PLACE if party.startswith("place") else HolderKind.PERSON, party)


class CustodyMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.world = type(self).make_world()
        self.world.policy = DistrictPolicy(
            custody=CustodyPolicy(
                max_devices=2,
                max_loan_days=30,
                blocking_holds=("manual",),
                may_override=("custody.holds", "custody.max-devices", "custody.condition"),
            )
        )
        self.world.person("p-ana")
        self.world.person("p-ben")
        self.world.person("p-left", status=PersonStatus.LEFT)
        self.world.place("CART-1", kind=PlaceKind.CART)
        states = [Lifecycle.IN_STOCK] * len(IN_STOCK) + [Lifecycle.DISPOSED, Lifecycle.ORDERED]
        for number, lifecycle in zip(DEVICES, states, strict=True):
            self.world.device(number, lifecycle=lifecycle)
        # The model: device -> (party, kind), held conditions, held people, and answers by key.
        self.out = {}
        self.condition = dict.fromkeys(DEVICES, Condition.GOOD)
        self.lifecycle = dict(zip(DEVICES, states, strict=True))
        self.blocked = {}
        self.answers = {}
        self.ended = 0
        self.newest = self.world.now
        for device, party in (("d-1", "p-ana"), ("d-2", "place-cart-1")):
            self.world.do(custody.check_out, device, to=party)
            self.out[device] = (party, CustodyKind.ASSIGNMENT)
            self.lifecycle[device] = Lifecycle.DEPLOYED

    def attempt(self, verb, *args, allowed, act=None, **kwargs):
        """Do it; the model says whether it goes through. A refusal writes nothing."""
        before = self.world.head()
        act = act or self.world.act(reason="test")
        if not allowed:
            with pytest.raises(Refusal) as caught:
                self.world.do(verb, *args, act=act, **kwargs)
            assert caught.value.rule in RULES
            assert self.world.head() == before
            return None
        done = self.world.do(verb, *args, act=act, **kwargs)
        STEPS[verb.__name__] += 1
        assert self.world.head().seq == before.seq + 1
        return done

    def probably_out(self, data):
        return data.draw(st.sampled_from([*sorted(self.out) * 4, *DEVICES]))

    # --- what the model says ---

    def receives(self, party, overridden=()):
        """Whether the receiver's rules let a party have one more device."""
        if party == "p-left":
            return False
        if party.startswith("place"):
            return True
        may = set(overridden) & set(self.world.policy.custody.may_override)
        held = sum(1 for p, _ in self.out.values() if p == party)
        # a hold that was placed before the clock was set back holds from its day on
        held_back = party in self.blocked and self.blocked[party].since <= self.world.now.date()
        return (not held_back or "custody.holds" in may) and (
            held < 2 or "custody.max-devices" in may
        )

    @staticmethod
    def dated(kind, due):
        """Whether the terms are allowed."""
        if due is None:
            return kind is not CustodyKind.LOAN
        return due >= 0 and (kind is not CustodyKind.LOAN or due <= 30)

    def due(self, days):
        # 13:05 UTC is the same day in Chicago
        return None if days is None else self.world.now.date() + timedelta(days=days)

    # --- verbs ---

    @rule(
        device=devices,
        party=parties,
        kind=kinds,
        due=dues,
        override=overrides,
        key=keys,
    )
    def check_out(self, device, party, kind, due, override, key):
        good = self.condition[device] in self.world.policy.custody.conditions
        asked = (device, party, kind, self.due(due), tuple(override))
        keywords = {
            "to": party,
            "kind": kind,
            "due": self.due(due),
            "override": override,
            "key": key,
        }
        if key in self.answers:
            self.repeat(key, ("out", *asked), custody.check_out, device, keywords)
            return
        allowed = (
            device not in self.out
            and self.lifecycle[device] is Lifecycle.IN_STOCK
            and (good or "custody.condition" in override)
            and self.receives(party, override)
            and self.dated(kind, due)
        )
        done = self.attempt(custody.check_out, device, allowed=allowed, **keywords)
        if done is None:
            return
        self.out[device] = (party, kind)
        self.lifecycle[device] = Lifecycle.DEPLOYED
        event, stamp = self.world.ask(lambda tx: load_event(list(tx.journal())[-1]))
        assert event.overridden == done.overridden
        assert ("custody.condition" in event.overridden) == (not good)
        assert stamp.reason == "test"
        if key is not None:
            self.answers[key] = (("out", *asked), done.custody.id)

    @rule(
        data=st.data(),
        condition=st.sampled_from([None] * 6 + list(Condition)),
        expected=st.sampled_from([None] * 6 + PARTIES),
        key=keys,
    )
    def check_in(self, data, condition, expected, key):
        device = self.probably_out(data)
        asked = ("in", device, condition, expected)
        keywords = {
            "condition": condition,
            "expected_from": None if expected is None else holder(expected),
            "key": key,
        }
        if key in self.answers:
            self.repeat(key, asked, custody.check_in, device, keywords)
            return
        has = self.out.get(device)
        allowed = has is not None and expected in (None, has[0])
        done = self.attempt(custody.check_in, device, allowed=allowed, **keywords)
        if done is None:
            return
        del self.out[device]
        self.ended += 1
        if self.lifecycle[device] is not Lifecycle.IN_REPAIR:
            self.lifecycle[device] = Lifecycle.IN_STOCK
        self.condition[device] = condition or self.condition[device]
        if key is not None:
            self.answers[key] = (asked, done.custody.id)

    @rule(
        data=st.data(),
        party=parties,
        kind=st.none() | st.sampled_from(CustodyKind),
        due=dues,
        override=overrides,
    )
    def transfer(self, data, party, kind, due, override):
        device = self.probably_out(data)
        has = self.out.get(device)
        now = self.world.get(OpenCustody, device)
        agreed = None
        if now is not None:
            current = self.world.get(Custody, now.custody_id)
            kind_after = kind or current.kind
            if due is None and kind_after is current.kind and current.due_on is not None:
                agreed = (current.due_on - self.world.now.date()).days
        else:
            kind_after = kind or CustodyKind.ASSIGNMENT
        allowed = (
            has is not None
            and has[0] != party
            and self.lifecycle[device] is Lifecycle.DEPLOYED
            and self.receives(party, override)
            and self.dated(kind_after, due if due is not None else agreed)
        )
        done = self.attempt(
            custody.transfer,
            device,
            to=party,
            kind=kind,
            due=self.due(due),
            override=override,
            allowed=allowed,
        )
        if done is not None:
            self.out[device] = (party, kind_after)
            self.ended += 1

    def repeat(self, key, asked, verb, device, keywords):
        """A key that was used: the same answer, or an error."""
        before = self.world.head()
        first, custody_id = self.answers[key]
        act = self.world.act(reason="test")
        if first == asked:
            done = self.world.do(verb, device, act=act, **keywords)
            assert done.repeated
            assert done.custody.id == custody_id
        else:
            with pytest.raises(IdempotencyMismatch):
                self.world.do(verb, device, act=act, **keywords)
        assert self.world.head() == before

    # --- what else happens in a school ---

    @rule(days=st.integers(1, 20))
    def time_passes(self, days):
        self.world.later(days=days)

    @rule(days=st.integers(1, 30))
    def the_clock_is_set_back(self, days):
        self.newest = max(self.newest, self.world.now)
        self.world.later(days=-days)

    @precondition(lambda self: self.out)
    @rule(
        data=st.data(), to=st.sampled_from([Lifecycle.LOST, Lifecycle.IN_REPAIR, Lifecycle.STOLEN])
    )
    def trouble(self, data, to):
        """Repair and loss never end a custody by themselves."""
        from attrs import evolve

        from assetflow.model.events import DeviceEdited
        from assetflow.store.ports import Entry, Put

        number = data.draw(st.sampled_from(sorted(self.out)))
        with self.world.store.write("lincoln") as tx:
            before = tx.get(Device, number)
            after = evolve(before, lifecycle=to, version=before.version + 1)
            event = DeviceEdited(fields=("lifecycle",))
            stamp = self.world.act().stamp()
            put = (Put(after, before),)
            tx.record([Entry(event=event, subject_id=number, stamp=stamp, puts=put)])
        self.lifecycle[number] = to

    @rule(party=st.sampled_from(["p-ana", "p-ben"]))
    def hold(self, party):
        if party in self.blocked:
            self.world.do(holds.release_hold, self.blocked.pop(party).id)
        else:
            self.blocked[party] = self.world.do(holds.place_hold, party, kind="manual")

    # funding is dated by day, and refuses one before the newest shares
    @precondition(lambda self: self.world.now >= self.newest)
    @rule(device=devices, points=st.integers(1, 10_000))
    def fund(self, device, points):
        shares = [NewShare(fund="100", basis_points=points)]
        if points < 10_000:
            shares.append(NewShare(fund="281", basis_points=10_000 - points))
        self.world.do(funding.record_funding, device, shares)

    # --- what always holds ---

    @invariant()
    def everything_is_in_order(self):
        world = self.world
        lasting = world.ask(
            lambda tx: list(tx.find(Query(kind=Custody, where=F.ended_at.is_unknown())))
        )
        assert {c.device_id: (c.accountable_id, c.kind) for c in lasting} == self.out
        assert len(lasting) == len(self.out), "two parties answer for one device"
        opened = world.ask(lambda tx: list(tx.find(Query(kind=OpenCustody))))
        assert {o.device_id: o.accountable_id for o in opened} == {
            d: party for d, (party, _) in self.out.items()
        }
        for device in world.ask(lambda tx: list(tx.find(Query(kind=Device)))):
            assert device.lifecycle is self.lifecycle[device.id]
            assert device.condition is self.condition[device.id]
            if device.lifecycle is Lifecycle.DEPLOYED:
                assert device.id in self.out
            if device.lifecycle in GONE:
                assert device.id not in self.out
            states = {
                CustodyKind.LOAN: CustodyState.LOANED,
                CustodyKind.ASSIGNMENT: CustodyState.ASSIGNED,
            }
            kind = self.out.get(device.id, (None, None))[1]
            assert device.custody is states.get(kind, CustodyState.NONE)
        ended = world.ask(
            lambda tx: list(tx.find(Query(kind=Custody, where=F.ended_at.is_known())))
        )
        assert len(ended) == self.ended
        stays = sorted(
            [*ended, *lasting], key=lambda c: (c.device_id, c.since, c.ended_at is None, c.ended_at)
        )
        for one, following in itertools.pairwise(stays):
            if one.device_id == following.device_id:
                assert one.ended_at <= following.since, "two custodies of a device overlap"
        assert all(c.ended_at >= c.since for c in ended)

    def teardown(self):
        if hasattr(self, "world"):
            self.world.check()
            self.world.store.close()


@pytest.mark.parametrize(("engine", "examples"), [("memory", 100), ("sqlite", 20)])
def test_custody_in_any_order(worlds, sqlite, engine, examples):
    STEPS.clear()

    class Machine(CustodyMachine):
        @staticmethod
        def make_world():
            return worlds(store=sqlite() if engine == "sqlite" else None)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )
    wanted = 15 if engine == "memory" else 1
    assert all(STEPS[verb] >= wanted for verb in ("check_out", "check_in", "transfer")), STEPS
