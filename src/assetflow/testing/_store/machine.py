"""A state machine that gives a store and the store in memory the same commands."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from assetflow.errors import AssetflowError
from assetflow.model import (
    FIGURES,
    Device,
    DeviceModel,
    DistrictId,
    OpenCustody,
    Order,
    Person,
    PersonKind,
    Query,
    Record,
    Remembered,
    ShowAssignee,
    Sighting,
)
from assetflow.model.events import DeviceEdited, DeviceRegistered, PersonChanged
from assetflow.store.journal import verify
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Put
from assetflow.store.replay import compare, replay
from assetflow.testing import strategies
from assetflow.testing._store.tools import NOW, custody, edited, entry, everything, opened

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction, Store, Transaction

__all__ = ["store_machine"]

Command = Callable[["Transaction"], Any]


class _Abort(Exception):
    """The caller's own error, with which a block ends."""


# --- commands: each decides by what it reads, so that both stores decide alike -----------------


@frozen
class Register:
    """Register a device; one that is there is refused."""

    device: Device

    def __call__(self, tx: Transaction) -> Any:
        event = DeviceRegistered(source="file")
        return tx.record([entry(self.device, event=event, subject=self.device.id)])


@frozen
class Edit:
    """Replace a device, as it is or as it was one version ago."""

    key: str
    like: Device
    stale: bool

    def __call__(self, tx: Transaction) -> Any:
        found = tx.get(Device, self.key)
        if found is None:
            return None
        if self.stale:
            found = evolve(found, version=found.version - 1)
        after = evolve(self.like, id=found.id, version=found.version + 1)
        event = DeviceEdited(fields=("lifecycle",))
        return tx.record([entry(Put(after, found), event=event, subject=self.key)])


@frozen
class Remove:
    """Remove a device, which is refused while a custody refers to it."""

    key: str

    def __call__(self, tx: Transaction) -> Any:
        found = tx.get(Device, self.key)
        return None if found is None else tx.record([entry(removes=[found], subject=self.key)])


@frozen
class HandOut:
    """Open a custody; a second one for a device is refused."""

    key: str
    number: int

    def __call__(self, tx: Transaction) -> Any:
        tx.lock((Device, (self.key,)))
        held = custody(f"c{self.number}", self.key)
        intent: Any = ShowAssignee(
            device_id=self.key,  # type: ignore[arg-type]  # a new type of text
            accountable_kind="person",
            accountable_id="p1",
        )
        return tx.record([entry(held, opened(held), subject=self.key, intents=[intent])])


@frozen
class TakeBack:
    """Close the open custody of a device."""

    key: str

    def __call__(self, tx: Transaction) -> Any:
        found = tx.get(OpenCustody, self.key)
        if found is None:
            return None
        held: Any = tx.get(type(custody()), found.custody_id)
        put = edited(held, ended_at=NOW, ended_by="check-in")
        return tx.record([entry(put, subject=self.key, removes=[found])])


@frozen
class PutModel:
    """Add or rename a model; the folded name is unique."""

    key: str
    name: str

    def __call__(self, tx: Transaction) -> Any:
        found: Any = tx.get(DeviceModel, self.key)
        if found is None:
            made: Any = DeviceModel(id=self.key, name=self.name, name_key=self.name.lower())  # type: ignore[arg-type]
            return tx.record([entry(made)])
        return tx.record([entry(edited(found, name=self.name, name_key=self.name.lower()))])


@frozen
class Name:
    """Change what is personal about somebody."""

    name: str | None

    def __call__(self, tx: Transaction) -> Any:
        found: Any = tx.get(Person, "p1")
        event = PersonChanged(fields=("given_name",))
        if found is None:
            made: Any = Person(id="p1", kind=PersonKind.STUDENT, mark_key=b"k")  # type: ignore[arg-type]
            return tx.record([entry(evolve(made, given_name=self.name), event=event)])
        return tx.record([entry(edited(found, given_name=self.name), event=event)])


@frozen
class Upsert:
    """Write sightings, there or not."""

    sightings: tuple[Sighting, ...]

    def __call__(self, tx: Transaction) -> Any:
        return tx.upsert(self.sightings)


@frozen
class Remember:
    """Insert an idempotency key; a second time is refused."""

    key: str

    def __call__(self, tx: Transaction) -> Any:
        return tx.insert([Remembered(key=self.key, fingerprint="f", result="{}", made_at=NOW)])


@frozen
class Forget:
    """Delete sightings."""

    keys: tuple[tuple[str, str], ...]

    def __call__(self, tx: Transaction) -> Any:
        return tx.delete(Sighting, self.keys)


def _break_off(_: Transaction) -> None:
    raise _Abort


_KEYS = st.sampled_from(["d1", "d2", "d3", "D1"])


# Composites, since the repr of what they are made of would fill pages.
@st.composite
def _devices(draw: st.DrawFn) -> Device:
    drawn: Any = draw(strategies.alike(Device) | strategies.record(Device))
    changed: Device = evolve(
        drawn,
        id=draw(_KEYS),
        version=1,
        model_id=draw(st.sampled_from([None, None, "m1", "m2", "m3"])),
        site_id=None,
        room_id=None,
    )
    return changed


@st.composite
def _sightings(draw: st.DrawFn) -> Sighting:
    source_id = draw(st.sampled_from(["s1", "s2", "S1", "s1 ", "s\0"]))
    return evolve(draw(strategies.record(Sighting)), source="google", source_id=source_id)


_EDITS = st.builds(Edit, _KEYS, _devices(), st.integers(0, 9).map(lambda n: n == 0))
_HAND_OUTS = st.builds(HandOut, _KEYS, st.integers(1, 99))
_TAKE_BACKS = st.builds(TakeBack, _KEYS)
_UPSERTS = st.builds(Upsert, st.lists(_sightings(), max_size=5).map(tuple))
_FORGETS = st.builds(
    Forget,
    st.lists(st.sampled_from([("google", "s1"), ("google", "s2"), ("x", "s1")])).map(tuple),
)
# What is often refused, or decided early, is drawn more rarely: a refusal ends the transaction.
_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    *(_EDITS, _EDITS, _EDITS, _HAND_OUTS, _HAND_OUTS, _TAKE_BACKS, _TAKE_BACKS, _UPSERTS, _FORGETS),
    st.builds(Register, _devices()),
    st.builds(Remove, _KEYS),
    st.builds(PutModel, st.sampled_from(["m1", "m2", "m3"]), st.sampled_from(["A", "B", "C"])),
    st.builds(Name, st.none() | st.text(max_size=8)),
    st.builds(Remember, st.sampled_from(["k1", "k2", "K1"])),
)
_START: tuple[Command, ...] = (
    PutModel("m1", "A"),
    PutModel("m2", "B"),
    *(Register(Device(id=key)) for key in ("d1", "d2", "d3")),  # type: ignore[arg-type]
)
_ORDERS = st.lists(
    st.builds(Order, st.sampled_from(["asset_tag", "lifecycle", "version"]), st.booleans()),
    max_size=2,
).map(tuple)


# --- the machine ---------------------------------------------------------------------------


def carry_out(
    store: Store, district: DistrictId, commands: Sequence[Command], *, abort: bool
) -> list[Any]:
    """What a transaction of some commands gives: their results, and the error that ended it."""
    seen: list[Any] = []
    try:
        with store.write(district) as tx:
            # What was seen before an error stays in the list.
            seen.extend(run(tx) for run in ([*commands, _break_off] if abort else commands))
    except _Abort:
        seen.append("aborted")
    except AssetflowError as error:
        seen.append(type(error))
    return seen


def state(tx: ReadTransaction) -> tuple[Any, ...]:
    """All that can be read of a district."""
    tables: dict[str, list[Record]] = everything(tx)
    return tables, list(tx.journal()), tx.head(), replay(tx.journal()), verify(tx), compare(tx)


def store_machine(make: Callable[[], Store], *, close: bool = True) -> type[RuleBasedStateMachine]:
    """A state machine over a store of yours and the store in memory.

    Both are given the same transactions, some of which fail or are broken off, and must give the
    same results, refuse with the same errors and hold the same tables and the same journal, down
    to the last hash.

    ```python
    TestMyMachine = store_machine(MyStore).TestCase
    ```

    Args:
        make: Makes the store. It may give the same one each time; each run uses its own district.
        close: Whether to close the store after each run.
    """

    class StoreMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.stores: tuple[Store, Store] = (make(), MemoryStore())
            self.district = DistrictId(f"m{secrets.token_hex(6)}")
            for store in self.stores:
                carry_out(store, self.district, _START, abort=False)

        def alike(self, ask: Callable[[ReadTransaction], Any]) -> None:
            answers = []
            for store in self.stores:
                with store.read(self.district) as tx:
                    answers.append(ask(tx))
            assert answers[0] == answers[1]

        @rule(
            commands=st.lists(_COMMANDS, min_size=1, max_size=4),
            abort=st.integers(0, 7).map(lambda n: n == 0),
        )
        def write(self, commands: list[Command], abort: bool) -> None:
            seen = [carry_out(s, self.district, commands, abort=abort) for s in self.stores]
            assert seen[0] == seen[1]
            self.alike(lambda tx: tx.head())

        @rule(
            where=st.none() | strategies.predicates(Device),
            order=_ORDERS,
            limit=st.none() | st.integers(0, 4),
        )
        def find(self, where: Any, order: Any, limit: int | None) -> None:
            query = Query(kind=Device, where=where, order=order, limit=limit)
            self.alike(lambda tx: (list(tx.find(query)), tx.count(query)))

        @rule(name=st.sampled_from(sorted(FIGURES)))
        def figure(self, name: str) -> None:
            self.alike(lambda tx: tx.aggregate(FIGURES[name]))

        @rule(key=_KEYS, after=st.integers(0, 9))
        def history(self, key: str, after: int) -> None:
            self.alike(lambda tx: list(tx.journal(after=after, subject=("device", key))))

        def teardown(self) -> None:
            self.alike(state)
            with self.stores[0].read(self.district) as tx:
                assert compare(tx) == []
            if close:
                self.stores[0].close()

    return StoreMachine
