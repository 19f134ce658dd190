"""The port keeps districts apart for every kind of record, whatever key, record or filter it is given."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from assetflow.errors import DuplicateKey, InvalidValue, StaleVersion
from assetflow.model import Aggregate, Query
from assetflow.model.events import DeviceEdited
from assetflow.store.journal import load_event
from assetflow.store.ports import Entry, Put
from assetflow.store.schema import KINDS, kind_of

FOREIGN = "hawk"
JOURNALLED = [n for n, k in KINDS.items() if k.journalled]
PLAIN = [n for n, k in KINDS.items() if not k.journalled]
REFERRING = [(n, f) for n, k in KINDS.items() for f, _ in k.refers]


def foreign_record(pair, name: str) -> Any:
    """The neighbour's newest record of a kind; the district and its policy have fixed keys."""
    return pair.foreign.records(name)[-1]


def entry(pair, *puts: Put, removes=()) -> Entry:
    with pair.store.read(pair.own.district.id) as tx:
        _, stamp = load_event(next(tx.journal()))
    event = DeviceEdited(fields=("x",))
    return Entry(event=event, subject_id="x", stamp=stamp, puts=puts, removes=tuple(removes))


def shares_a_key(pair, record) -> bool:
    """Whether the district has a record of its own under that key, as with its policy."""
    with pair.store.read(pair.own.district.id) as tx:
        return tx.get(type(record), *kind_of(record).get_key(record)) is not None


@pytest.mark.parametrize("name", KINDS)
def test_reads_of_a_foreign_key_find_nothing(name, pair):
    record = foreign_record(pair, name)
    kind = KINDS[name]
    key = kind.get_key(record)
    with pair.store.read(pair.own.district.id) as tx:
        found = [tx.get(kind.record, *key), *tx.get_many(kind.record, [key]).values()]
        listed = list(tx.find(Query(kind=kind.record)))
        assert record not in [*found, *listed]
        assert len(listed) == tx.count(Query(kind=kind.record))
        assert tx.aggregate(Aggregate(kind=kind.record)) == [{"count": len(listed)}]
        for column in kind.columns:
            values = {v for (v,) in tx.values(Query(kind=kind.record), (column.name,))}
            assert not [v for v in values if FOREIGN in str(v)]
        subject = (name, str(key[0]))
        assert FOREIGN not in "".join(e.body for e in tx.journal(subject=subject))
        assert FOREIGN not in "".join(e.body for e in tx.journal())
    with pair.store.read(pair.foreign.district.id) as tx:
        assert tx.get(kind.record, *key) == record


@pytest.mark.parametrize("name", JOURNALLED)
@pytest.mark.parametrize("how", ["replace", "remove"])
def test_a_foreign_record_cannot_be_replaced_or_removed(name, how, pair):
    record = foreign_record(pair, name)
    if shares_a_key(pair, record):
        # the key is the district's own too, so it would be its own record that changes
        assert name == "policy"
        return
    changed = evolve(record, version=record.version + 1) if KINDS[name].versioned else record
    given = entry(pair, Put(changed, record)) if how == "replace" else entry(pair, removes=[record])
    before = pair.own.snapshot()
    with pytest.raises(StaleVersion), pair.store.write(pair.own.district.id) as tx:
        tx.record([given])
    assert pair.own.snapshot() == before
    pair.unreached()


@pytest.mark.parametrize("name", KINDS)
def test_a_foreign_record_that_is_written_here_is_a_record_of_ones_own(name, pair):
    """What it refers to is not here, so most are refused; none changes the neighbour's."""
    record = foreign_record(pair, name)
    kind = KINDS[name]
    refused = (DuplicateKey, InvalidValue)
    try:
        with pair.store.write(pair.own.district.id) as tx:
            if kind.journalled:
                tx.record([entry(pair, Put(record))])
            else:
                tx.upsert([record])
    except refused:
        assert kind.refers or shares_a_key(pair, record)
    else:
        assert not any(getattr(record, field) for field, _ in kind.refers)
    pair.unreached()
    pair.renew()


@pytest.mark.parametrize("name", PLAIN)
def test_deleting_a_foreign_key_deletes_nothing(name, pair):
    record = foreign_record(pair, name)
    kind = KINDS[name]
    mine = shares_a_key(pair, record)
    with pair.store.write(pair.own.district.id) as tx:
        assert tx.delete(kind.record, [kind.get_key(record)]) == mine
    pair.unreached()
    if mine:
        pair.renew()


@pytest.mark.parametrize(("name", "field"), REFERRING)
def test_a_record_cannot_be_moved_below_a_foreign_one(name, field, pair):
    """The re-parenting of CVE-2026-55516 at another inventory: own record, foreign parent."""
    kind = KINDS[name]
    target = dict(kind.refers)[field]
    mine = pair.own.records(name)[-1]
    moved = evolve(mine, **{field: foreign_record(pair, target).id})
    before = pair.own.snapshot()
    put = Put(moved)
    if field not in kind.key:
        put = Put(evolve(moved, version=mine.version + 1) if kind.versioned else moved, mine)
    with pytest.raises((InvalidValue, StaleVersion)), pair.store.write(pair.own.district.id) as tx:
        tx.record([entry(pair, put)])
    assert pair.own.snapshot() == before
    pair.unreached()


def test_locks_of_foreign_keys_hold_nobody_up(pair):
    """Locking a key of the neighbour's locks what is not there, not what the neighbour has."""
    records = [foreign_record(pair, name) for name in KINDS]
    targets = [(type(r), kind_of(r).get_key(r)) for r in records]
    with pair.store.write(pair.own.district.id) as tx:
        tx.lock(*targets)
    pair.unreached()
