"""What a child process of a test does to a store: ``python sql_child.py ROLE ADDRESS ...``.

It imports no test tool, so that it starts quickly.
"""

import contextlib
import os
import random
import sys
from datetime import UTC, datetime

from attrs import evolve

from assetflow.errors import DuplicateKey
from assetflow.model import (
    Custody,
    CustodyKind,
    Device,
    HolderKind,
    Lifecycle,
    OpenCustody,
    ShowAssignee,
    Stamp,
)
from assetflow.model.events import DeviceCheckedOut, DeviceEdited, DeviceRegistered
from assetflow.store.ports import Durability, Entry, Put
from assetflow.store.sql import SqlStore

HERE = "lincoln"
NOW = datetime(2026, 8, 17, 13, 5, tzinfo=UTC)
STAMP = Stamp(actor_id="a1", recorded_at=NOW)


def registered(key, **fields):
    new = Put(Device(id=key, **fields))
    return Entry(event=DeviceRegistered(), subject_id=key, stamp=STAMP, puts=(new,))


def check_out(tx, key, who, custody_id):
    """The shape of a check-out: lock, read, decide, write, say."""
    tx.lock((Device, (key,)))
    held = tx.get(Device, key)
    if held is None or tx.get(OpenCustody, key) is not None:
        return False
    out = Custody(
        id=custody_id,
        device_id=key,
        kind=CustodyKind.ASSIGNMENT,
        accountable_kind=HolderKind.PERSON,
        accountable_id=who,
        holder_kind=HolderKind.PERSON,
        holder_id=who,
        since=NOW,
    )
    event = DeviceCheckedOut(
        custody_id=out.id,
        kind=out.kind,
        accountable_kind=out.accountable_kind,
        accountable_id=who,
        holder_kind=out.holder_kind,
        holder_id=who,
    )
    opened = OpenCustody(device_id=key, custody_id=out.id, accountable_id=who)
    put = Put(evolve(held, lifecycle=Lifecycle.DEPLOYED, version=held.version + 1), held)
    said = ShowAssignee(device_id=key, accountable_kind="person", accountable_id=who)
    tx.record(
        [
            Entry(
                event=event,
                subject_id=key,
                stamp=STAMP,
                puts=(Put(out), Put(opened), put),
                intents=(said,),
            )
        ]
    )
    return True


def write_for_ever(store, name):
    """Register devices one by one, and say each that was committed."""
    for n in range(1_000_000):
        key = f"{name}-{n}"
        with store.write(HERE) as tx:
            head = tx.record([registered(key, serial="s" * (n % 90))])
        say(f"{key} {head.seq}")


def write_some(store, name, count):
    for n in range(int(count)):
        durability = Durability.BULK if n % 2 else Durability.FULL
        with store.write(HERE, durability=durability) as tx:
            tx.record([registered(f"{name}-{n}")])
    say("done")


def race(store, name, devices):
    """Try to hand out every device, in an order of one's own."""
    keys = [f"d{n}" for n in range(int(devices))]
    random.Random(name).shuffle(keys)
    for key in keys:
        with store.write(HERE) as tx:
            won = check_out(tx, key, name, f"{key}-{name}")
        if won:
            say(key)


def race_blindly(store, name, devices):
    """The same by the key alone, with no look before."""
    for n in range(int(devices)):
        out = f"d{n}"
        with contextlib.suppress(DuplicateKey):
            with store.write(HERE) as tx:
                opened = OpenCustody(device_id=out, custody_id="c", accountable_id=name)
                event = DeviceEdited(fields=("custody",))
                tx.record([Entry(event=event, subject_id=out, stamp=STAMP, puts=(Put(opened),))])
            say(out)


def say(words):
    os.write(1, f"{words}\n".encode())


ROLES = {f.__name__: f for f in (write_for_ever, write_some, race, race_blindly)}


if __name__ == "__main__":
    with contextlib.closing(SqlStore.open(sys.argv[2])) as mine:
        ROLES[sys.argv[1]](mine, *sys.argv[3:])
