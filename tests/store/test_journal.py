"""The journal as text: exact, chained, and read without being written again."""

import hashlib
from datetime import UTC, datetime

import pytest
from attrs import evolve, frozen

from assetflow.errors import InvalidValue, JournalBroken, SchemaTooNew, StoreUnavailable
from assetflow.model import Condition, Device, Lifecycle, ShowAssignee, Stamp, usd
from assetflow.model.events import DeviceCheckedIn, DeviceEdited
from assetflow.store.journal import BEGINNING, chain, load_event, prepare, verify
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Entry, Head, Put, StoredEvent
from assetflow.store.replay import Difference, compare, replay
from assetflow.store.schema import JOURNAL, KINDS

STAMP = Stamp(actor_id="a1", recorded_at=datetime(2026, 8, 17, 13, 5, tzinfo=UTC), reason="audit")
FIRST = Device(id="d1", asset_tag="LHS-1")
SECOND = evolve(FIRST, lifecycle=Lifecycle.LOST, purchase_cost=usd("299.95"), version=2)
EDITED = DeviceEdited(fields=("lifecycle",))


def entry(*puts, event=EDITED, subject="d1", stamp=STAMP, **more):
    return Entry(event=event, subject_id=subject, stamp=stamp, puts=puts, **more)


def stored(*entries):
    rows, _ = chain(BEGINNING, [prepare("lincoln", e) for e in entries])
    return [StoredEvent(**dict(zip([c.name for c in JOURNAL], r, strict=True))) for r in rows]


def test_the_text_of_a_body_never_changes():
    """Bodies that exist must verify for ever: this test is a promise, not a description."""
    (event,) = stored(entry(Put(SECOND, FIRST)))
    assert event.body == (
        '{"district":"lincoln","seq":1,"type":"device.edited@1","subject":["device","d1"],'
        '"recorded_at":"2026-08-17T13:05:00.000000Z","effective_at":null,"actor":"a1",'
        '"reason":"audit","note":null,"batch":null,"data":{"fields":["lifecycle"],"source":null},'
        '"changes":[{"kind":"device","key":["d1"],"set":{"lifecycle":"lost",'
        '"purchase_cost_minor":29995,"purchase_cost_currency":"USD","version":2}}],"removes":[]}'
    )
    assert event.hash == hashlib.sha256(("0" * 64 + event.body).encode()).hexdigest()


def test_each_event_follows_the_one_before():
    one, two = stored(entry(Put(FIRST)), entry(Put(SECOND, FIRST)))
    assert (one.seq, two.seq) == (1, 2)
    assert (one.prev, two.prev) == (BEGINNING.hash, one.hash)
    rows, head = chain(Head(1, one.hash), [prepare("lincoln", entry(Put(SECOND, FIRST)))])
    assert head == Head(2, two.hash) == Head(rows[0][0], rows[0][-1])


def test_the_district_is_part_of_what_is_hashed():
    rows = [chain(BEGINNING, [prepare(d, entry())])[0][0] for d in ("lincoln", "lincoln2")]
    assert rows[0][-1] != rows[1][-1]


def test_what_is_prepared_for_the_tables():
    link = ShowAssignee(device_id="d1", accountable_kind=None, accountable_id=None)
    ready = prepare("lincoln", entry(Put(SECOND, FIRST), removes=(FIRST,), intents=(link,)))
    device = KINDS["device"]
    (written,) = ready.written
    assert (written.kind, written.key, written.guard) == (device, ("d1",), (1,))
    assert device.codec.record(written.row) == SECOND
    assert ready.removed == ((device, ("d1",), (1,)),)
    assert ready.outbox(7) == [
        (
            *(7, 0, "device.assignee@1", "device", "d1"),
            '{"device_id":"d1","accountable_kind":null,"accountable_id":null}',
        )
    ]


def test_a_put_that_changes_nothing_told_leaves_no_change():
    note = KINDS["note"].record(
        id="n", subject_kind="device", subject_id="d1", written_at=STAMP.recorded_at, text="x"
    )
    (event,) = stored(entry(Put(note)))
    assert '"changes":[]' in event.body


@frozen(kw_only=True)
class Foreign:
    TYPE = "device.edited@1"
    SUBJECT = "device"


@pytest.mark.parametrize(
    "bad",
    [
        {"event": Foreign()},
        {"event": DeviceCheckedIn(custody_id="c", lifecycle="lost", condition=Condition.GOOD)},
        {"subject": "x" * 201},
        {"subject": 7},
        {"stamp": evolve(STAMP, batch_id="x" * 65)},
        {"stamp": evolve(STAMP, recorded_at=datetime(2026, 8, 17))},  # noqa: DTZ001
        {"stamp": evolve(STAMP, effective_at=datetime(2026, 8, 17))},  # noqa: DTZ001
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_an_entry_that_cannot_be_kept_is_refused(bad):
    with pytest.raises(InvalidValue):
        prepare("lincoln", entry(**bad))


def test_events_are_read_as_values():
    (event,) = stored(entry())
    assert load_event(event) == (EDITED, STAMP)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("device.edited@1", "device.edited@9", SchemaTooNew),
        ('"fields":["lifecycle"]', '"fields":7', JournalBroken),
        ('"fields"', '"unknown"', JournalBroken),
        ("13:05:00.000000Z", "13:05", JournalBroken),
        ('"actor":"a1"', '"actor":7', JournalBroken),
        ("{", "", JournalBroken),
    ],
)
def test_a_body_that_nobody_wrote_is_refused(old, new, error):
    (event,) = stored(entry())
    with pytest.raises(error) as caught:
        load_event(evolve(event, body=event.body.replace(old, new)))
    assert caught.value.context["seq"] == 1


def test_a_replay_skips_kinds_and_columns_that_are_no_more():
    (event,) = stored(entry(Put(FIRST)))
    body = event.body.replace('"asset_tag"', '"colour"').replace(
        '"changes":[', '"changes":[{"kind":"gone","key":["x"],"set":{}},'
    )
    tables = replay([evolve(event, body=body)])
    assert tables["device"]["d1",]["asset_tag"] is None
    assert "colour" not in tables["device"]["d1",]
    assert "gone" not in tables


def test_a_replay_refuses_what_is_no_body():
    (event,) = stored(entry())
    with pytest.raises(JournalBroken):
        replay([evolve(event, body="{}")])


def test_differences_are_told_up_to_a_limit():
    store = MemoryStore()
    with store.write("lincoln") as tx:
        tx.record([entry(*(Put(Device(id=f"d{n}")) for n in range(6)))])
    table = store._states["lincoln"].tables["device"]
    table.put(("d0",), Device(id="d0", version=7, asset_tag="x"))
    table.remove(("d1",))
    table.put(("e1",), Device(id="e1"))
    with store.read("lincoln") as tx:
        assert compare(tx) == [
            Difference("device", ("d0",), "asset_tag", None, "x"),
            Difference("device", ("d0",), "version", 1, 7),
            Difference("device", ("e1",), None, replayed=False, stored=True),
            Difference("device", ("d1",), None, replayed=True, stored=False),
        ]
        assert len(compare(tx, limit=2)) == 2


def test_a_body_of_another_place_is_found_though_its_hash_is_right():
    """Whoever rewrites one event and its hash still has to rewrite all that follow."""
    store = MemoryStore()
    with store.write("lincoln") as tx:
        tx.record([entry(), entry()])
    events = store._states["lincoln"].events
    body = events[0].body.replace('"reason":"audit"', '"reason":"forged"')
    for seq in (1, 2):
        prev = BEGINNING.hash if seq == 1 else events[0].hash
        digest = hashlib.sha256((prev + body).encode()).hexdigest()
        events[seq - 1] = evolve(events[seq - 1], body=body, prev=prev, hash=digest)
    with store.read("lincoln") as tx, pytest.raises(JournalBroken) as caught:
        verify(tx)
    assert (caught.value.context["seq"], caught.value.context["fault"]) == (2, "body")


def test_a_head_that_names_another_end_is_found():
    store = MemoryStore()
    with store.write("lincoln") as tx:
        tx.record([entry()])
    state = store._states["lincoln"]
    store._states["lincoln"] = evolve(state, head=Head(1, "f" * 64))
    with store.read("lincoln") as tx, pytest.raises(JournalBroken, match="head"):
        verify(tx)


def test_a_closed_store_is_of_no_use():
    store = MemoryStore()
    store.close()
    store.close()
    for use in (store.districts, lambda: store.read("a").__enter__()):
        with pytest.raises(StoreUnavailable):
            use()
