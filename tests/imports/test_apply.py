"""Applying a plan: once, twice, in pieces, interrupted, beside others, and when the district moved on."""

import csv
import io
import os
import stat
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.errors import InvalidValue, PlanChanged, StaleVersion, StoreLocked
from assetflow.exchange.imports import REJECT_HEADINGS, Outcome
from assetflow.exchange.imports.applying import batch_of
from assetflow.model import (
    Condition,
    Device,
    ImportBatch,
    Lifecycle,
    OpenCustody,
    PlaceKind,
    RunItem,
)
from assetflow.store.memory import MemoryStore
from assetflow.workflows.custody import check_out
from assetflow.workflows.devices import edit_device, register_device, register_device_entry
from assetflow.workflows.places import upsert_place

HEADINGS = [
    "Tag",
    "Serial #",
    "Model",
    "School",
    "Room",
    "Status",
    "Condition",
    "Cost",
    "Assigned To",
]

# Small pools, so that rows collide with one another and with what is there.
CELLS = st.tuples(
    st.sampled_from(["", "T1", "t1", "T2", "T3", "T4", "0012", "=T5"]),
    st.sampled_from(["", "S1", "s1", "S2", "5CD0", "SCDO", "1E+21", "None"]),
    st.sampled_from(["", "HP 11", "hp  11", "Acer"]),
    st.sampled_from(["", "LHS", "School CMS", "NHS"]),
    st.sampled_from(["", "101", "Cart 1"]),
    st.sampled_from(["", "In stock", "Assigned", "Lost", "Broken", "Retired", "asleep"]),
    st.sampled_from(["", "good", "Poor", "(clear)"]),
    st.sampled_from(["", "299.95", "$1,000", "x", "(clear)"]),
    st.sampled_from(["", "0042", "ann@lincoln.example", "nobody"]),
)
ROWS = st.lists(CELLS, max_size=8)
OPTIONS = st.sampled_from(
    [{}, {"match_on": "asset_tag"}, {"match_on": "serial"}, {"create_sites": True}]
)
PEOPLE = (["ID", "Email", "Role"], ["0042", "Ann@lincoln.example", "student"])


@pytest.fixture(scope="session")
def furnished(make_office, csv_of):
    """Makes a district that has a person and three devices."""

    def make(store=None):
        office = make_office(store)
        office.apply(office.people(csv_of(*PEOPLE)))
        for tag, serial, lifecycle in (
            ("T1", "S1", "in_stock"),
            ("T2", None, "deployed"),
            ("T4", "S4", "disposed"),
        ):
            device = Device(
                id=office.new_id(), asset_tag=tag, serial=serial, lifecycle=Lifecycle(lifecycle)
            )
            office.do(register_device, device)
        return office

    return make


# --- properties ----------------------------------------------------------------------------


@given(rows=ROWS, options=OPTIONS)
def test_a_plan_writes_nothing_and_counts_every_row(furnished, csv_of, rows, options):
    office = furnished()
    before, seq = office.state(), office.seq()
    plan = office.plan(csv_of(HEADINGS, *rows), **options)
    assert (office.state(), office.seq()) == (before, seq)
    lines = sorted([r.line for r in plan.rows] + [r.line for r in plan.rejects])
    assert lines == [n for n, row in enumerate(rows, 2) if any(row)]
    assert plan.total == len(lines)
    assert plan == office.plan(csv_of(HEADINGS, *rows), **options)


@given(rows=ROWS, options=OPTIONS, size=st.integers(1, 5))
def test_what_was_planned_is_what_is_applied_and_twice_is_once(
    furnished, csv_of, rows, options, size
):
    office = furnished()
    file = csv_of(HEADINGS, *rows)
    before = len(office.all(Device))
    plan, report = office.take(file, **options)
    assert (report.created, report.changed) == (plan.count(Outcome.ADD), plan.count(Outcome.CHANGE))
    assert len(office.all(Device)) == before + report.created
    done, seq = office.state(), office.seq()
    assert office.verified() == seq
    # the same plan, the same file, and the same rows under another name
    second = office.apply(plan)
    assert second.again
    again = office.plan(file, **options)
    assert again.applied is not None
    assert office.apply(again, batch_size=size).again
    other = office.plan(file + b",,,,,,,,\n", **options)
    assert (other.count(Outcome.ADD), other.count(Outcome.CHANGE)) == (0, 0)
    assert office.apply(other).changed == 0
    assert (office.state(), office.seq()) == (done, seq)


@given(data=st.data(), rows=ROWS, options=OPTIONS)
def test_the_order_of_the_rows_does_not_matter(furnished, csv_of, data, rows, options):
    mixed = data.draw(st.permutations(rows))
    ends = []
    for order, size in ((rows, 1000), (mixed, 1)):
        office = furnished()
        plan = office.plan(csv_of(HEADINGS, *order), **options)
        office.apply(plan, batch_size=size)
        rejected = sorted(order[r.line - 2] for r in plan.rejects)
        ends.append((office.state(), rejected))
    assert ends[0] == ends[1]


@given(rows=ROWS, options=OPTIONS)
def test_every_rejected_row_stands_in_the_rejects_file(
    furnished, csv_of, tmp_path_factory, rows, options
):
    office = furnished()
    plan = office.plan(csv_of(HEADINGS, *rows), **options)
    path = tmp_path_factory.mktemp("rejects") / "rejects.csv"
    assert plan.write_rejects(path) == len(plan.rejects)
    if not plan.rejects:
        assert not path.exists()
        return
    with path.open(encoding="utf-8-sig", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0]) == [*REJECT_HEADINGS, *HEADINGS]
    assert [int(r["assetflow_line"]) for r in found] == [r.line for r in plan.rejects]
    assert all(r["assetflow_reason"] for r in found)
    # as it is, it is refused in the same way; nothing slips in because it went through a file
    office.apply(plan)
    second = office.plan(path, **options)
    assert second.sheet.headings == tuple(HEADINGS)
    assert second.count(Outcome.ADD) + second.count(Outcome.CHANGE) + len(second.rejects) <= len(
        found
    )
    originals = {tuple(rows[r.line - 2]) for r in plan.rejects}
    assert {second.sheet.original(r) for r in second.rejects} <= originals


def test_a_file_whose_rejects_can_be_taken_now_is_not_skipped(office, csv_of):
    file = csv_of(["Tag", "School"], ["1", "LHS"], ["2", "NEW"])
    first, report = office.take(file)
    assert (report.created, len(first.rejects)) == (1, 1)
    same = office.plan(file)
    assert same.applied is not None, "nothing to do"
    assert office.apply(same).again
    office.do(upsert_place, PlaceKind.SITE, "New School", code="NEW")
    assert office.apply(same).again, "a plan does what it showed"

    second, report = office.take(file)
    assert second.applied is None
    assert (report.again, report.resumed, report.created, report.unchanged) == (False, False, 1, 1)
    assert report.batch_id != batch_of(second.digest)
    assert office.device("2")
    third, report = office.take(file)
    assert report.again
    assert third.applied is not None


def test_a_file_without_rejects_is_done_once_whatever_happened_since(office, csv_of):
    file = csv_of(["Tag", "School"], ["1", "LHS"])
    office.take(file)
    office.do(edit_device, office.device("1").id, {"site_id": None})
    _, report = office.take(file)
    assert report.again
    assert office.device("1").site_id is None


# --- rejects -------------------------------------------------------------------------------


def test_rejects_that_were_corrected_end_where_a_right_file_would(make_office, csv_of, tmp_path):
    right = [["=1+1", "1", "LHS"], ["0012", "SER-2", "LHS"], ["'A", "3", "CMS"], ["-B", "4", "CMS"]]
    wrong = [list(r) for r in right]
    right[0][0] = "LHS-1"
    wrong[1][1], wrong[2][2], wrong[3][2] = "1E+21", "Nowhere", "Nowhere"
    office, other = make_office(), make_office()
    plan, _ = office.take(csv_of(["Tag", "Serial #", "School"], *wrong), match_on="asset_tag")
    assert len(plan.rejects) == 4
    path = tmp_path / "rejects.csv"
    plan.write_rejects(path)
    text = path.read_text(encoding="utf-8-sig")
    assert "'=1+1" in text
    assert "''A" in text
    assert "'-B" in text
    fixed = text.replace("'=1+1", "LHS-1").replace("1E+21", "SER-2").replace("Nowhere", "CMS")
    again, report = office.take(fixed.encode(), match_on="asset_tag")
    assert (again.rejects, report.created) == ((), 4)
    other.take(csv_of(["Tag", "Serial #", "School"], *right), match_on="asset_tag")
    assert office.state() == other.state()


def test_rejects_of_rejects_have_the_same_columns(office, csv_of, tmp_path):
    path = tmp_path / "rejects.csv"
    file = csv_of(["Tag", "Cost", "Notes"], ["1", "x", "keep me"])
    for source in (file, path, path):
        plan = office.plan(source)
        plan.write_rejects(path)
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        assert rows[0] == [*REJECT_HEADINGS, "Tag", "Cost", "Notes"]
        assert rows[1][3:] == ["1", "x", "keep me"]
    assert [c.heading for c in plan.columns] == ["Tag", "Cost", "Notes"]


def test_rows_that_are_no_rows_do_not_slip_in_through_the_rejects(office, tmp_path):
    path = tmp_path / "rejects.csv"
    plan = office.plan(b'Tag,Serial\n"LHS-1,AAA\nLHS-2,BBB,CCC\nLHS-3,DDD\nLHS-4')
    assert [[f.code for f in r.findings] for r in plan.rejects] == [
        ["quote"],
        ["too-many-cells"],
        ["cut-off"],
    ]
    plan.write_rejects(path)
    again = office.plan(path)
    assert again.rows == ()
    assert len(again.rejects) == 3


@pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX")
def test_a_rejects_file_is_its_owners_alone(office, csv_of, tmp_path):
    office.people(csv_of(["ID", "Role"], ["1", "ghost"])).write_rejects(tmp_path / "r.csv")
    assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o600


# --- batches -------------------------------------------------------------------------------


def many(csv_of, count, **cells):
    rows = [
        [f"T{n:04d}", f"S{n:04d}", "HP 11", "LHS", f"Room {n % 3}", "", "", "", ""]
        for n in range(100, 100 + count)
    ]
    for name, value in cells.items():
        for row in rows:
            row[HEADINGS.index(name)] = value
    return csv_of(HEADINGS, *rows)


def test_events_carry_the_batch_and_its_row_counts_what_was_done(office, csv_of):
    start = office.seq()
    plan, report = office.take(many(csv_of, 25))
    batch = office.all(ImportBatch)[0]
    assert report.batch_id == batch.id
    assert (batch.what, batch.rows, batch.created, batch.changed, batch.unchanged, batch.rejected) == (
        "devices", 25, 25, 0, 0, 0,
    )  # fmt: skip
    assert batch.content_digest == plan.digest
    events = office.events(after=start)
    assert {e.batch_id for e in events} == {batch.id}
    kinds = [e.type for e in events]
    assert (
        kinds.count("device.registered@1"),
        kinds.count("device_model.changed@1"),
        kinds.count("place.changed@1"),
    ) == (25, 1, 3)


def test_a_file_with_nothing_new_is_a_batch_too(office, csv_of):
    office.take(many(csv_of, 3))
    _, report = office.take(many(csv_of, 3), match_on="serial")
    assert (report.again, report.unchanged) == (False, 3)
    assert len(office.all(ImportBatch)) == 2
    assert office.all(RunItem) == []


def test_progress_is_told_after_each_transaction(office, csv_of):
    told = []
    office.apply(office.plan(many(csv_of, 25)), batch_size=10, progress=lambda *n: told.append(n))
    assert told == [(10, 25), (20, 25), (25, 25)]


def test_a_batch_has_at_least_one_row(office, csv_of):
    with pytest.raises(InvalidValue):
        office.apply(office.plan(many(csv_of, 1)), batch_size=0)


def test_the_same_file_can_be_applied_again_when_that_is_said(office, csv_of):
    file = many(csv_of, 3, Condition="Good")
    plan, first = office.take(file)
    office.do(edit_device, office.device("T0100").id, {"condition": Condition.POOR})
    plan = office.plan(file)
    assert plan.applied.id == first.batch_id
    assert "applied already on 2026-08-17" in plan.summary()
    assert office.apply(plan).again
    assert office.device("T0100").condition is Condition.POOR
    report = office.apply(plan, again=True)
    assert (report.again, report.changed, report.batch_id != first.batch_id) == (False, 1, True)
    assert office.device("T0100").condition is Condition.GOOD


def test_other_options_are_another_import(office, csv_of):
    file = many(csv_of, 2)
    digests = {
        office.plan(file, **o).digest
        for o in (
            {},
            {"match_on": "serial"},
            {"defaults": {"condition": "good"}},
            {"mapping": {"Room": None}},
        )
    }
    assert len(digests) == 4


# --- interrupted ---------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Fragile:
    """A store whose process dies when the nth write transaction begins."""

    def __init__(self, store, writes):
        self._store, self.left = store, writes

    def write(self, *args, **kwargs):
        if not self.left:
            raise Killed
        self.left -= 1
        return self._store.write(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self._store, name)


@pytest.mark.parametrize("survived", range(5))
def test_an_import_that_was_killed_is_finished_exactly(make_office, csv_of, survived):
    whole, office = make_office(), make_office()
    file = many(csv_of, 45, Condition="Good")
    whole.take(file)
    plan = office.plan(file)
    store, office.store = office.store, Fragile(office.store, survived)
    with pytest.raises(Killed):
        office.apply(plan, batch_size=10)
    office.store = store
    plan = office.plan(file)
    assert plan.applied is None
    assert plan.count(Outcome.UNCHANGED) == survived * 10
    report = office.apply(plan, batch_size=10)
    assert (report.created, report.unchanged, report.resumed) == (45, 0, survived > 0)
    assert office.state() == whole.state()
    assert office.verified() == office.seq()
    assert len(office.all(ImportBatch)) == 1
    assert {e.batch_id for e in office.events() if e.type.startswith("device.")} == {
        report.batch_id
    }
    assert office.apply(plan).again


def test_the_same_plan_can_be_applied_on_after_an_error(office, csv_of):
    plan = office.plan(many(csv_of, 30))
    store, office.store = office.store, Fragile(office.store, 2)
    with pytest.raises(Killed):
        office.apply(plan, batch_size=10)
    office.store = store
    report = office.apply(plan, batch_size=10)
    assert (report.created, report.resumed) == (30, True)
    assert len(office.all(Device)) == 30


# --- the district moved on -----------------------------------------------------------------


def test_a_device_that_appeared_meanwhile_is_not_made_twice(office, csv_of):
    plan = office.plan(many(csv_of, 3, Condition="Good"))
    office.do(register_device, Device(id=office.new_id(), asset_tag="T0101", serial="S0101"))
    seq = office.seq()
    with pytest.raises(PlanChanged, match=r"1 rows mean something else \(line 3\)"):
        office.apply(plan)
    assert office.seq() == seq
    _, report = office.take(many(csv_of, 3, Condition="Good"))
    assert (report.created, report.changed) == (2, 1)


def test_a_field_that_changed_meanwhile_is_not_overwritten_unseen(office, csv_of):
    office.take(many(csv_of, 2, Condition="Good"))
    plan = office.plan(many(csv_of, 2, Condition="Fair"))
    office.do(edit_device, office.device("T0100").id, {"condition": Condition.BROKEN})
    with pytest.raises(PlanChanged):
        office.apply(plan)
    assert office.device("T0100").condition is Condition.BROKEN


def test_what_moved_without_mattering_stops_nothing(office, csv_of):
    office.take(many(csv_of, 2, Condition="Good"))
    plan = office.plan(many(csv_of, 2, Condition="Fair"))
    # another field of one, the very same change of the other, a device of nobody's row
    office.do(edit_device, office.device("T0100").id, {"order_line": "PO-1"})
    office.do(edit_device, office.device("T0101").id, {"condition": Condition.FAIR})
    office.do(register_device, Device(id=office.new_id(), asset_tag="X"))
    report = office.apply(plan)
    assert (report.changed, report.unchanged) == (1, 1)
    device = office.device("T0100")
    assert (device.condition, device.order_line) == (Condition.FAIR, "PO-1")


class Beside:
    """A store beside which somebody else acts before each write transaction."""

    def __init__(self, store, act):
        self._store, self._act = store, act

    def write(self, *args, **kwargs):
        if self._act is not None:
            act, self._act = self._act, None
            self._act = act(self._store)
        return self._store.write(*args, **kwargs)

    def __getattr__(self, name):
        return getattr(self._store, name)


def test_somebody_who_registers_a_device_of_a_later_row_stops_the_import_there(office, csv_of):
    plan, store = office.plan(many(csv_of, 30)), office.store

    def second(_):
        with store.write(office.district) as tx:
            register_device(tx, office.act(), Device(id=office.new_id(), asset_tag="T0125"))

    def first(_):
        return second

    office.store = Beside(store, first)
    with pytest.raises(PlanChanged):
        office.apply(plan, batch_size=10)
    office.store = store
    assert len(office.all(Device)) == 21
    assert sum(d.asset_tag == "T0125" for d in office.all(Device)) == 1
    # the tag is there now, and has no serial yet: the row fills it in
    _, report = office.take(many(csv_of, 30))
    assert (report.created, report.changed, report.resumed) == (29, 1, True)


def test_hand_outs_beside_an_import_do_not_disturb_it(furnished, csv_of):
    office = furnished()
    plan, store = office.plan(many(csv_of, 30)), office.store
    device = office.device("T1")

    def hand_out(_):
        with store.write(office.district) as tx:
            check_out(tx, office.act(), device.id, to="0042")

    office.store = Beside(store, hand_out)
    assert office.apply(plan, batch_size=10).created == 30
    assert len(office.all(OpenCustody)) == 1


def test_an_import_that_never_gets_through_says_so(office, csv_of):
    plan, store = office.plan(many(csv_of, 3)), office.store

    class Busy:
        """A store in which somebody always wrote since the row was read."""

        def write(self, *args, **kwargs):
            raise StaleVersion("somebody was faster")

        def __getattr__(self, name):
            return getattr(store, name)

    office.store = Busy()
    with pytest.raises(StoreLocked, match="others write"):
        office.apply(plan)
    office.store = store
    assert office.all(Device) == []


class Between:
    """A store whose transactions let somebody else commit just before their own events."""

    def __init__(self, store, entries):
        self._store, self.entries = store, entries

    @contextmanager
    def write(self, *args, **kwargs):
        with self._store.write(*args, **kwargs) as tx:
            yield Intruded(tx, self.entries)

    def __getattr__(self, name):
        return getattr(self._store, name)


class Intruded:
    def __init__(self, tx, entries):
        self._tx, self._entries = tx, entries

    def record(self, entries):
        if self._entries:
            self._tx.record([self._entries.pop()])
        return self._tx.record(entries)

    def __getattr__(self, name):
        return getattr(self._tx, name)


def test_a_device_that_was_committed_between_the_look_and_the_write_is_seen(office, csv_of):
    """As on a server that locks the journal's end last: the transaction is given up and made again."""
    plan, store = office.plan(many(csv_of, 3)), office.store
    intruder = Device(id=office.new_id(), asset_tag="other", tag_key="OTHER")
    office.store = Between(store, [register_device_entry(office.act(), intruder)])
    report = office.apply(plan)
    office.store = store
    # the first attempt was rolled back with its intruder, the second went through
    assert report.created == 3
    assert len(office.all(Device)) == 3
    assert office.verified() == office.seq()


def test_two_processes_that_apply_one_plan_make_every_device_once(office, csv_of):
    plan = office.plan(many(csv_of, 60))
    lock, wrong = threading.Lock(), []
    real = office.new_id

    def new_id():
        with lock:
            return real()

    office.new_id = new_id

    def work():
        try:
            office.apply(plan, batch_size=7)
        except BaseException as error:  # noqa: BLE001  # shown below
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(office.all(Device)) == 60
    batch = office.all(ImportBatch)[0]
    assert (batch.created, batch.unchanged) == (60, 0)
    assert office.verified() == office.seq()


@settings(max_examples=10)
@given(size=st.integers(1, 40))
def test_the_size_of_a_batch_does_not_matter(make_office, csv_of, size):
    one, other = make_office(MemoryStore()), make_office(MemoryStore())
    file = many(csv_of, 30, Cost="5")
    one.take(file)
    other.apply(other.plan(file), batch_size=size)
    assert one.state() == other.state()
