"""What a claim matches does not depend on how many devices were looked at for it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from assetflow.exchange.indexing import index_all, index_around
from assetflow.model import (
    ActorId,
    Device,
    DeviceLink,
    DistrictId,
    Lifecycle,
    ObservedDevice,
    Stamp,
)
from assetflow.model.devices import fold_serial, fold_tag
from assetflow.model.events import DeviceRegistered
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Entry, Put

LINCOLN = DistrictId("lincoln")
STAMP = Stamp(actor_id=ActorId("actor"), recorded_at=datetime(2026, 11, 24, tzinfo=UTC))

# Few texts, so that they meet: equal, equal but for letter case, alike, and none.
serials = st.sampled_from(["5CD01", "5cd01", "5CDO1", "SCD0I", "5CD02", " ", "", None])
tags = st.sampled_from(["LHS-1", "lhs-1", "LHS-2", "", None])
sources = st.integers(0, 7).map("vendor-{}".format)
devices = st.lists(st.tuples(serials, tags, st.booleans(), st.none() | sources), max_size=8)
claims = st.lists(
    st.tuples(sources, serials, tags), min_size=1, max_size=6, unique_by=lambda c: c[0]
)


def registered(number, serial, tag, gone, source_id):
    device = Device(
        id=f"device-{number}",
        serial=serial,
        serial_key=fold_serial(serial),
        asset_tag=tag,
        tag_key=fold_tag(tag),
        lifecycle=Lifecycle.DISPOSED if gone else Lifecycle.IN_STOCK,
    )
    puts = [Put(device)]
    if source_id is not None:
        puts.append(Put(DeviceLink(source="google", source_id=source_id, device_id=device.id)))
    event = DeviceRegistered(source="google", source_id=source_id or "")
    return Entry(event=event, subject_id=device.id, stamp=STAMP, puts=tuple(puts))


@given(devices, claims)
def test_some_devices_are_enough_to_match_some_claims(held, claimed):
    store, linked = MemoryStore(), set()
    with store.write(LINCOLN) as tx:
        for number, (serial, tag, gone, source_id) in enumerate(held):
            fresh = None if source_id in linked else source_id
            linked.add(source_id)
            tx.record([registered(number, serial, tag, gone, fresh)])
    observed = [ObservedDevice(i, serial=serial, asset_tag=tag) for i, serial, tag in claimed]
    with store.read(LINCOLN) as tx:
        whole, some = index_all(tx, "google"), index_around(tx, "google", observed)
    assert [some.match(o) for o in observed] == [whole.match(o) for o in observed]
